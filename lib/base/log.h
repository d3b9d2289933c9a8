/**
 * base/log: one sink, set by the tool. Libraries send debug lines only; what a
 * user must know travels in results (warnings in a struct), not in the log.
 */
#ifndef IB_BASE_LOG_H
#define IB_BASE_LOG_H

#include "base/base.h"

enum ib_log_level { IB_LOG_ERROR, IB_LOG_WARNING, IB_LOG_INFO, IB_LOG_DEBUG };

/** Receives each line that passes the level; may be called from any thread. */
typedef void (*ib_log_sink)(enum ib_log_level level, const char *module, const char *text, void *data);

/**
 * Set the sink. Call once, before threads start.
 * @param sink   NULL: discard everything
 * @param level  lines above this level are not formatted at all
 * @param data   handed to the sink; borrowed for the life of the process
 */
void ib_log_set(ib_log_sink sink, enum ib_log_level level, void *data);

/** Send one line. Cheap when the level is off. */
void ib_log(enum ib_log_level level, const char *module, const char *fmt, ...) IB_PRINTF(3, 4);

#define ib_debug(module, ...) ib_log(IB_LOG_DEBUG, module, __VA_ARGS__)

#endif
