/* page_files - what gateway/page/ holds, built into the program (gateway/page.cmake) */
#ifndef GATEWAY_PAGE_FILES_H
#define GATEWAY_PAGE_FILES_H

#include "base/span.h"

struct page_file {
    const char *path; /* as it is asked for: "/page/page.css" */
    const char *content_type;
    struct span text;
};

/* An empty path ends them. */
extern const struct page_file page_files[];

/* index.html, before and after the place of the state. */
extern const struct span page_head, page_tail;

#endif
