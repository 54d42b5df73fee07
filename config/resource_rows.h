/* resource_rows - what queues.c, topics.c and resources.c share; nobody else's. */
#ifndef CONFIG_RESOURCE_ROWS_H
#define CONFIG_RESOURCE_ROWS_H

#include "config/reader.h"

enum { MAX_LABELS = 50 };

/* A setting and its bit of enum resource_given. A run of them ends with a NULL name. */
struct given_name {
    const char *name;
    unsigned bit;
};

/* The bits of the settings that the group has. */
unsigned resource_given(const config_setting_t *setting, const struct given_name *names);

/* KEY=VALUE. */
bool resource_label_ok(struct span label, const char **why);

extern const struct option_group resource_queue_group; /* of struct resource_queue */
extern const struct option_group resource_topic_group; /* of struct resource_topic */

void resource_queue_read(struct reader *reader, const config_setting_t *setting, void *config);
void resource_topic_read(struct reader *reader, const config_setting_t *setting, void *config);
void resource_topic_fini(struct resource_topic *topic);

#endif
