/* process - what the process itself takes of the machine, from /proc. Any thread. */
#ifndef GATEWAY_PROCESS_H
#define GATEWAY_PROCESS_H

#include <stdint.h>

struct process_figures { /* 0: not known */
    double cpu_s;
    uint64_t rss_bytes;
    uint64_t virtual_bytes;
    uint64_t open_files;
    uint64_t max_open_files;
    uint64_t threads;
    double start_s; /* Unix time */
};

void process_read(struct process_figures *out);

#endif
