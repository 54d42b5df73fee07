/* api_impl - what the parts of the management plane share. Only api*.c include it. */
#ifndef LOCAL_API_IMPL_H
#define LOCAL_API_IMPL_H

#include "local/api.h"
#include "local/api_args.h"

enum api_kind { API_QUEUE, API_TOPIC };

/* What the account and its things are said to be. */
enum { API_STATUS_NORMAL = 1, API_OWNER = 1250000000 };
#define API_TENANT "cmqlocal"
#define API_NAMESPACE "default"

/* What a handler gets. */
struct api_task {
    struct api *api;
    struct store *store;
    const struct api_action *action;
    struct api_args args;
    struct buf *out; /* the answer's fields, each followed by a comma, go here */
    int64_t now_ms;
    const char *code; /* of a refusal */
    struct err why;
};

struct api_action {
    const char *name;
    const struct api_field *fields;
    bool (*serve)(struct api_task *task);
};

/* The actions; a name that is NULL ends them. */
extern const struct api_action api_actions[];

/* Fills code and why; returns false. */
bool api_refuse(struct api_task *task, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The queue or topic that a parameter names, or NULL and a refusal. */
struct queue *api_find_queue(struct api_task *task, const char *parameter);
struct topic *api_find_topic(struct api_task *task, const char *code);

/* Whether a new queue or topic may have this name; else a refusal. */
bool api_name_free(struct api_task *task, enum api_kind kind, const char *name);

/* Notes that the name of a queue or topic has become free. */
void api_name_freed(struct api_task *task, enum api_kind kind, const char *name);

/* Sends those away who stand in the line of a queue that is to be deleted. */
void api_empty_line(struct api_task *task, struct queue *queue);

/* Writes "FIELD":"PREFIX-xxxxxxxxx" and a comma: what a thing of that name and time is called. */
void api_add_id(struct api_task *task, const char *field, const char *prefix, const char *name,
                int64_t created_ms);

/* Writes "FIELD":"TEXT" or "FIELD":NUMBER, and a comma. */
void api_add_text(struct buf *out, const char *field, struct span text);
void api_add_number(struct buf *out, const char *field, int64_t number);

/* Ends a list or an object whose last comma is to go. */
void api_end(struct buf *out, char bracket);

/* Which of what matches a list shows. */
struct api_page {
    int64_t offset;
    int64_t limit;
    int64_t seen; /* how many matched so far */
};

/* Reads Offset and Limit; a refusal when there is an Offset alone. */
bool api_read_page(struct api_task *task, struct api_page *page);

/* Counts one that matches and tells whether it is on the page. */
bool api_page_takes(struct api_page *page);

/* Whether name holds the text of a parameter, whatever the case; true when it was not given. */
bool api_name_holds(const struct api_task *task, const char *parameter, const char *name);

/* Whether name is among the texts of a list, whatever the case; true when it was not given. */
bool api_name_listed(const struct api_task *task, const char *parameter, const char *name);

/* Whether tags (as a queue has them) fit Filters. */
bool api_tags_fit(const struct api_task *task, const char *tags);

/* The parameter Tags as a queue keeps them, for free(); NULL when there are none. */
char *api_read_tags(const struct api_task *task);

/* Writes "Tags":[...] and a comma. */
void api_add_tags(struct buf *out, const char *tags);

bool api_create_queue(struct api_task *task);
bool api_modify_queue(struct api_task *task);
bool api_delete_queue(struct api_task *task);
bool api_clear_queue(struct api_task *task);
bool api_rewind_queue(struct api_task *task);
bool api_unbind_dead_letter(struct api_task *task);
bool api_describe_queue(struct api_task *task);
bool api_describe_queues(struct api_task *task);

bool api_create_topic(struct api_task *task);
bool api_modify_topic(struct api_task *task);
bool api_delete_topic(struct api_task *task);
bool api_describe_topic(struct api_task *task);
bool api_describe_topics(struct api_task *task);

bool api_subscribe(struct api_task *task);
bool api_modify_subscription(struct api_task *task);
bool api_unsubscribe(struct api_task *task);
bool api_clear_filter_tags(struct api_task *task);
bool api_describe_subscriptions(struct api_task *task);

bool api_send(struct api_task *task);
bool api_publish(struct api_task *task);

#endif
