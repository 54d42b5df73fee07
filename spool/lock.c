/* lock - see lock.h. */
#include "spool/lock.h"

#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int open_lock(const char *dir, int flags)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/lock", dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC, 0600);
}

static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* What the holder wrote into the file; 0 when it cannot be read. */
static uint64_t holder(int fd)
{
    char text[24];
    ssize_t n = pread(fd, text, sizeof text, 0);
    struct span line = {text, n < 0 ? 0 : (size_t)n};
    uint64_t pid = 0;
    (void)span_to_u64(span_slice(line, 0, span_find(line, '\n')), INT_MAX, &pid);
    return pid;
}

int lock_take(const char *dir, struct err *err)
{
    int fd = open_lock(dir, O_RDWR | O_CREAT);
    if (fd < 0) {
        err_set(err, "state_dir %s: cannot open the lock file: %s", dir, strerror(errno));
        return -1;
    }
    struct flock range = whole_file();
    if (fcntl(fd, F_OFD_SETLK, &range) != 0) {
        int reason = errno;
        if (reason == EAGAIN || reason == EACCES) {
            err_set(err,
                    "state_dir %s is in use by process %llu: stop that gateway, or give this one "
                    "a state_dir of its own",
                    dir, (unsigned long long)holder(fd));
        } else {
            err_set(err, "state_dir %s cannot be locked: %s", dir, strerror(reason));
        }
        close(fd);
        return -1;
    }
    /* The lock is what counts; the number in the file is a courtesy that a full disk may deny. */
    if (ftruncate(fd, 0) == 0)
        (void)dprintf(fd, "%d\n", (int)getpid());
    return fd;
}

bool lock_is_held(const char *dir)
{
    int fd = open_lock(dir, O_RDONLY);
    if (fd < 0)
        return false;
    struct flock range = whole_file();
    bool held = fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
    close(fd);
    return held;
}
