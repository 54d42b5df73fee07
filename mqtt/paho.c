/* paho - see paho.h. */
#include "mqtt/paho.h"

#include <MQTTAsync.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The signatures of StackTrace.h and Heap.h of Paho 1.3.12. */
void __wrap_StackTrace_entry(const char *name, int line, int level);
void __wrap_StackTrace_exit(const char *name, int line, void *result, int level);
void *__wrap_mymalloc(char *file, int line, size_t size);
void *__wrap_myrealloc(char *file, int line, void *ptr, size_t size);
void __wrap_myfree(char *file, int line, void *ptr);

void __wrap_StackTrace_entry(const char *name, int line, int level)
{
    (void)name;
    (void)line;
    (void)level;
}

void __wrap_StackTrace_exit(const char *name, int line, void *result, int level)
{
    (void)name;
    (void)line;
    (void)result;
    (void)level;
}

void *__wrap_mymalloc(char *file, int line, size_t size)
{
    (void)file;
    (void)line;
    return malloc(size);
}

void *__wrap_myrealloc(char *file, int line, void *ptr, size_t size)
{
    (void)file;
    (void)line;
    return realloc(ptr, size);
}

static _Atomic(void *) keep; /* when Paho frees this, it becomes kept */
static void *kept;

void paho_keep(void *packet)
{
    free(kept);
    kept = NULL;
    atomic_store_explicit(&keep, packet, memory_order_relaxed);
}

void __wrap_myfree(char *file, int line, void *ptr)
{
    (void)file;
    (void)line;
    if (ptr && ptr == atomic_load_explicit(&keep, memory_order_relaxed)) {
        atomic_store_explicit(&keep, NULL, memory_order_relaxed);
        kept = ptr;
        return;
    }
    free(ptr);
}

static atomic_int hurries; /* things under way */

void paho_hurry(bool begins)
{
    atomic_fetch_add(&hurries, begins ? 1 : -1);
}

#ifdef MQTT_CAN_WITHHOLD /* a Paho that is known well enough */

/* Of Socket.h, Thread.h and MQTTAsync.c. */
int __real_Socket_getReadySocket(int more, int timeout_ms, pthread_mutex_t *mutex, int *error);
int __wrap_Socket_getReadySocket(int more, int timeout_ms, pthread_mutex_t *mutex, int *error);
int Thread_signal_cond(void *cond);
extern void *send_cond; /* the sending thread waits there for up to a second */

int __wrap_Socket_getReadySocket(int more, int timeout_ms, pthread_mutex_t *mutex, int *error)
{
    enum { HURRY_MS = 10, LOOK_MS = 100, NONE = 0, NOBODY = -1 };
    for (;;) {
        bool hurry = atomic_load(&hurries) > 0;
        int wait_ms = hurry ? HURRY_MS : LOOK_MS;
        if (wait_ms > timeout_ms)
            wait_ms = timeout_ms;
        int ready = __real_Socket_getReadySocket(more, wait_ms, mutex, error);
        timeout_ms -= wait_ms;
        if (ready != NONE || (timeout_ms <= 0 && !hurry))
            return ready;
        if (hurry) {
            Thread_signal_cond(send_cond);
            (void)poll(NULL, 0, 1); /* it may have come back at once, and would again */
            return NOBODY;          /* after NONE, Paho would sleep for 100 ms */
        }
    }
}

#endif

static void prepare(void)
{
    /* A write to a connection that the broker has closed must fail, not kill. */
    signal(SIGPIPE, SIG_IGN);
    /* OpenSSL 3 initialises itself; others in this process use it too. */
    MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
    MQTTAsync_global_init(&options);
    /* Otherwise every packet is formatted into a ring of trace lines that nobody reads. */
    MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
}

void paho_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}
