/* secret - see secret.h. */
#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char env_prefix[] = "@env:";
static const char file_prefix[] = "@file:";

bool secret_is_reference(struct span text)
{
    return span_starts(text, env_prefix) || span_starts(text, file_prefix);
}

static bool from_env(const char *name, struct buf *out, struct err *err)
{
    if (*name == '\0')
        return err_set(err, "@env: names no variable");
    const char *value = getenv(name);
    if (!value)
        return err_set(err, "the environment variable %s is not set", name);
    if (!buf_add_str(out, value))
        return err_set(err, "the environment variable %s is too long", name);
    return true;
}

static bool read_all(int fd, const char *path, struct buf *out, struct err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) /* a pipe or terminal would hold us up, and cannot be read again */
        return err_set(err, "cannot read %s: it is not a regular file", path);
    char chunk[4096];
    ssize_t got;
    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        if (out->len + (size_t)got > SECRET_MAX_BYTES + 1 ||
            !buf_add(out, span_make(chunk, (size_t)got))) {
            explicit_bzero(chunk, sizeof chunk);
            return err_set(err, "%s is larger than %d bytes", path, SECRET_MAX_BYTES);
        }
    }
    explicit_bzero(chunk, sizeof chunk);
    if (got < 0)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    return true;
}

static bool from_file(const char *path, struct buf *out, struct err *err)
{
    if (*path == '\0')
        return err_set(err, "@file: names no file");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    size_t before = out->len;
    bool ok = read_all(fd, path, out, err);
    close(fd);
    if (!ok)
        return false;
    if (out->len > before && out->ptr[out->len - 1] == '\n')
        out->ptr[--out->len] = '\0';
    if (out->len > before && out->ptr[out->len - 1] == '\r')
        out->ptr[--out->len] = '\0';
    return true;
}

bool secret_resolve(struct span text, struct buf *out, struct err *err)
{
    if (span_starts(text, "@@")) {
        text = span_slice(text, 1, text.len);
    } else if (span_starts(text, "@")) {
        if (!secret_is_reference(text)) {
            return err_set(err, "a text that begins with '@' is @env:NAME, @file:PATH or, to mean "
                                "the text itself, @@...");
        }
        bool env = span_starts(text, env_prefix);
        size_t skip = env ? sizeof env_prefix - 1 : sizeof file_prefix - 1;
        char *name = span_dup(span_slice(text, skip, text.len));
        bool ok = env ? from_env(name, out, err) : from_file(name, out, err);
        free(name);
        return ok;
    }
    if (!buf_add(out, text))
        return err_set(err, "the text is too long");
    return true;
}

bool secret_is_exposed(struct span text)
{
    if (!span_starts(text, file_prefix))
        return false;
    char *path = span_dup(span_slice(text, sizeof file_prefix - 1, text.len));
    struct stat info;
    bool exposed = stat(path, &info) == 0 && (info.st_mode & S_IROTH);
    free(path);
    return exposed;
}
