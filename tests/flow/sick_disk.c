/*
 * sick_disk - preloaded into the gateway: a disk that hangs or fails when a file says so
 *
 * For files below $SICK_DISK_DIR only: while $SICK_DISK_CONTROL.hang exists a write or sync waits
 * (having made $SICK_DISK_CONTROL.hanging), while .fail exists it fails with EIO, while .full
 * exists with ENOSPC.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int there(const char *suffix)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s.%s", getenv("SICK_DISK_CONTROL"), suffix);
    return access(path, F_OK) == 0;
}

static int is_ours(int fd)
{
    char link[64], path[PATH_MAX];
    const char *dir = getenv("SICK_DISK_DIR");
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path));
    return dir && len > (ssize_t)strlen(dir) && strncmp(path, dir, strlen(dir)) == 0;
}

/* 0: go on; -1: fail, with errno set. */
static int sick(int fd)
{
    if (!is_ours(fd))
        return 0;
    while (there("hang")) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s.hanging", getenv("SICK_DISK_CONTROL"));
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    int code = there("full") ? ENOSPC : there("fail") ? EIO : 0;
    errno = code;
    return code ? -1 : 0;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fdatasync(int fd)
{
    return sick(fd) ? -1 : NEXT(fdatasync)(fd);
}

int fsync(int fd)
{
    return sick(fd) ? -1 : NEXT(fsync)(fd);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    return sick(fd) ? -1 : NEXT(write)(fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return sick(fd) ? -1 : NEXT(pwrite)(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    return sick(fd) ? -1 : NEXT(pwrite64)(fd, bytes, len, at);
}
