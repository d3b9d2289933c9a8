/**
 * base: what every module stands on.
 *
 * One include brings all of it. Rules of the house that begin here:
 *
 *  - A function that can fail returns bool, takes `struct ib_error **err` last
 *    and has thrown exactly one error when it returns false. `err` is never NULL.
 *  - Outputs are named `ret_…` and are written on success only.
 *  - Ownership has three words: *borrowed* (the callee does not keep it),
 *    *owned by the caller* (free with the function named), *taken* (the callee
 *    frees it, also on failure).
 *  - Bytes and offsets are uint64_t. Text is UTF-8.
 *  - Libraries never print, exit, or read argv, environment, locale or clock.
 */
#ifndef IB_BASE_H
#define IB_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>

#include <glib.h>

#define IB_MUST_CHECK __attribute__((warn_unused_result))
#define IB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define IB_CLEANUP(fn) __attribute__((cleanup(fn)))

#include "base/error.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/bytes.h"
#include "base/unicode.h"
#include "base/file.h"
#include "base/text.h"

#endif
