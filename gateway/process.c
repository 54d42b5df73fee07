/* process - see process.h. */
#include "gateway/process.h"

#include "base/buf.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PROC_MAX_BYTES = 64 << 10 };

/* Reads a small file of /proc; empty when it cannot. */
static void read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    char part[4096];
    for (ssize_t n; (n = read(fd, part, sizeof part)) > 0;)
        buf_add(out, span_make(part, (size_t)n));
    close(fd);
}

/* The number after the nth blank (0: the first word). */
static uint64_t word(struct span line, int nth)
{
    uint64_t value = 0;
    for (int i = 0; i < nth; i++)
        line = span_slice(line, span_find(line, ' ') + 1, line.len);
    (void)span_to_u64(span_slice(line, 0, span_find(line, ' ')), UINT64_MAX, &value);
    return value;
}

/* The seconds between the machine's start and the process's, as Unix time. */
static double start_time(uint64_t ticks_since_boot, double ticks_a_second)
{
    struct buf stat = BUF_INIT(PROC_MAX_BYTES);
    read_file("/proc/stat", &stat);
    const char *boot = strstr(buf_str(&stat), "\nbtime ");
    uint64_t boot_s = 0;
    if (boot) {
        struct span rest = span_of(boot + strlen("\nbtime "));
        (void)span_to_u64(span_slice(rest, 0, span_find(rest, '\n')), UINT64_MAX, &boot_s);
    }
    buf_fini(&stat);
    return boot_s ? (double)boot_s + (double)ticks_since_boot / ticks_a_second : 0;
}

static void read_stat(struct process_figures *out)
{
    struct buf text = BUF_INIT(PROC_MAX_BYTES);
    read_file("/proc/self/stat", &text);
    /* The program's name may hold blanks; what follows its bracket is proc(5)'s third word on. */
    const char *rest = strrchr(buf_str(&text), ')');
    if (rest && rest[1] == ' ') {
        struct span words = span_of(rest + 2);
        double ticks = (double)sysconf(_SC_CLK_TCK);
        out->cpu_s = (double)(word(words, 11) + word(words, 12)) / ticks;
        out->threads = word(words, 17);
        out->start_s = start_time(word(words, 19), ticks);
        out->virtual_bytes = word(words, 20);
        out->rss_bytes = word(words, 21) * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    buf_fini(&text);
}

static uint64_t count_open_files(void)
{
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir)) /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        count++;
    closedir(dir);
    return count > 3 ? count - 3 : 0; /* "." and "..", and the directory's own */
}

void process_read(struct process_figures *out)
{
    struct rlimit files;
    *out = (struct process_figures){.open_files = count_open_files()};
    read_stat(out);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        out->max_open_files = files.rlim_cur;
}
