/* process - see process.h. */
#include "gateway/process.h"

#include "base/buf.h"
#include "base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PROC_MAX_BYTES = 4096 };

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

/* Of a moment since the machine started; to the second, so that it stays the same. */
static double unix_time(double since_boot_s)
{
    struct timespec boot;
    CHECK(clock_gettime(CLOCK_BOOTTIME, &boot) == 0);
    double now_since_boot_s = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9;
    double unix_s = (double)clock_unix_ms() / 1000 - (now_since_boot_s - since_boot_s);
    return (double)(int64_t)(unix_s + 0.5);
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
        out->start_s = unix_time((double)word(words, 19) / ticks);
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
