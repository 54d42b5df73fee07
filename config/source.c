/* source - see source.h. */
#include "config/source.h"

#include "config/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";

static int line_of(struct span text, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at; i++)
        line += text.ptr[i] == '\n';
    return line;
}

static bool parse(struct source *source, const char *name, char *text, struct faults *faults)
{
    struct scan scan = {0};
    bool ok = scan_text(&scan, text, name, faults);
    if (ok && config_read_string(&source->tree, text) != CONFIG_TRUE) {
        faults_add(faults, FAULT_ERROR, name, config_error_line(&source->tree), "%s",
                   config_error_text(&source->tree));
        ok = false;
    }
    if (ok)
        (void)scan_apply(&scan, config_root_setting(&source->tree));
    scan_fini(&scan);
    return ok;
}

bool source_parse(struct source *source, const char *name, struct span text, struct faults *faults)
{
    config_init(&source->tree);
    size_t nul = span_find(text, '\0');
    if (nul < text.len) {
        faults_add(faults, FAULT_ERROR, name, line_of(text, nul), "the file contains a NUL byte");
        return false;
    }
    if (text.len > SOURCE_MAX_BYTES) {
        faults_add(faults, FAULT_ERROR, name, 0, "the file is larger than %d MiB",
                   SOURCE_MAX_BYTES >> 20);
        return false;
    }
    if (span_starts(text, byte_order_mark))
        text = span_slice(text, strlen(byte_order_mark), text.len);
    struct buf copy = BUF_INIT(SOURCE_MAX_BYTES + 1); /* scan_text changes it */
    buf_add(&copy, text);
    if (text.len == 0 || text.ptr[text.len - 1] != '\n')
        buf_add_char(&copy, '\n'); /* libconfig wants one after a comment, also after the last */
    bool ok = parse(source, name, copy.ptr, faults);
    buf_fini(&copy);
    return ok;
}

/* Reads one byte more than allowed, so that source_parse sees that it is too much. */
static bool read_text(const char *path, struct buf *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = 1;
    while (got > 0 && text->len <= SOURCE_MAX_BYTES) {
        size_t room = text->max_len - text->len;
        room = room < 65536 ? room : 65536;
        char *to = buf_reserve(text, room);
        got = read(fd, to, room);
        if (got > 0)
            text->len += (size_t)got;
    }
    int reason = errno;
    close(fd);
    errno = reason;
    return got >= 0;
}

bool source_read(struct source *source, const char *path, struct faults *faults)
{
    struct buf text = BUF_INIT(SOURCE_MAX_BYTES + 1);
    bool ok = read_text(path, &text);
    if (ok) {
        ok = source_parse(source, path, buf_span(&text), faults);
    } else {
        config_init(&source->tree);
        faults_add(faults, FAULT_ERROR, path, 0, "cannot read the file: %s", strerror(errno));
    }
    buf_fini(&text);
    return ok;
}

void source_fini(struct source *source)
{
    config_destroy(&source->tree);
}
