#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/span.h"

/* One call, one event, one line on standard error: JSON by default, logfmt
 * on a terminal.  Libraries return errors and do not log; mod, endpoint and
 * prog log.  Control characters and invalid UTF-8 are escaped; never pass a
 * secret.  Any thread.  A line is at most LOG_LINE_MAX bytes. */

#define LOG_LINE_MAX 4096

enum log_level { LOG_DEBUG_L, LOG_INFO_L, LOG_WARN_L, LOG_ERROR_L };

struct log_field {
	const char *key; /* NULL ends the list */
	struct span text;
	int64_t number;
	bool is_number;
};

#define LOG_S(k, v)  ((struct log_field){ .key = (k), .text = span_of(v) })
#define LOG_SP(k, v) ((struct log_field){ .key = (k), .text = (v) })
#define LOG_I(k, v)                                                            \
	((struct log_field){ .key = (k), .number = (v), .is_number = true })
#define LOG_END ((struct log_field){ .key = NULL })

/* log_info("agent.enrolled", LOG_S("host", h), LOG_I("count", n)); */
#define log_debug(...) LOG_AT(LOG_DEBUG_L, __VA_ARGS__)
#define log_info(...)  LOG_AT(LOG_INFO_L, __VA_ARGS__)
#define log_warn(...)  LOG_AT(LOG_WARN_L, __VA_ARGS__)
#define log_error(...) LOG_AT(LOG_ERROR_L, __VA_ARGS__)
#define LOG_AT(level, event, ...)                                              \
	log_event((level), (event),                                            \
	    (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ) LOG_END })

void log_event(
    enum log_level level, const char *event, const struct log_field *fields);
/* The name of the program in every line, and the lowest level shown. */
void log_setup(const char *program, enum log_level lowest);

#endif
