/**
 * base/error: one error object, passed explicitly.
 *
 * An error has a code (the only thing a caller may branch on), a cause in one
 * sentence without a full stop, the steps that led there (added on the way up
 * by whoever knows something the callee did not), and a hint that says what to
 * do next.
 *
 * Idiom:
 *
 *     if (size > limit)
 *         return ib_throw(err, IB_ERR_INPUT, "…");
 *     if (!ib_wim_open(…, err))
 *         return ib_while(err, "opening image '%s'", name);
 *
 * Texts quote what strangers wrote. So each is one line: what a terminal would
 * obey (controls, marks that turn text around) is spelt out as \uXXXX, and what
 * is longer than 800 bytes is cut, saying so.
 *
 * Threads: an error belongs to one thread at a time.
 */
#ifndef IB_BASE_ERROR_H
#define IB_BASE_ERROR_H

#include "base/base.h"

/** What went wrong, coarsely. The numbers are the exit statuses of the tool. */
enum ib_code {
	IB_ERR_FAILED = 1,         /**< none of the below: a bug or an unexpected condition */
	IB_ERR_USAGE = 2,          /**< the command line or a call's arguments */
	IB_ERR_INPUT = 3,          /**< a bad profile, image, package or other input */
	IB_ERR_VERIFY = 4,         /**< a hash, signature or consistency check failed */
	IB_ERR_SYSTEM = 5,         /**< the system refused: space, permission, network, memory */
	IB_ERR_NOT_APPLICABLE = 6, /**< a package does not apply to the image */
	IB_ERR_APPROVAL = 7,       /**< an approval is missing */
	IB_ERR_UP_TO_DATE = 8,     /**< nothing to do */
	IB_ERR_INTERRUPTED = 130,  /**< the user asked to stop */
};

struct ib_error;

/**
 * Throw: create an error. Always returns false, so that it can end a function.
 *
 * @param err   where to put it; must hold NULL on entry
 * @param code  what a caller may branch on
 * @param fmt   the cause: one sentence, no full stop, user text in 'single quotes'
 */
bool ib_throw(struct ib_error **err, enum ib_code code, const char *fmt, ...) IB_PRINTF(3, 4);

/**
 * Throw with the text of an errno behind the cause.
 * ENOSPC and friends need no special code: the caller passes IB_ERR_SYSTEM.
 *
 * @param err     where to put it
 * @param code    what a caller may branch on
 * @param errnum  an errno value; 0 adds nothing
 * @param fmt     the cause, without the errno's text
 */
bool ib_throw_errno(struct ib_error **err, enum ib_code code, int errnum, const char *fmt, ...)
	IB_PRINTF(4, 5);

/** Throw the static out-of-memory error (IB_ERR_SYSTEM); allocates nothing. Returns false. */
bool ib_throw_memory(struct ib_error **err);

/**
 * Add a step ("while …") to the error in flight. Always returns false.
 *
 * @param err  holds the error of the callee that just failed
 * @param fmt  what was being done, in the form "opening image '%s'"
 */
bool ib_while(struct ib_error **err, const char *fmt, ...) IB_PRINTF(2, 3);

/** Set (or replace) the hint: what to do next. Always returns false. */
bool ib_hint(struct ib_error **err, const char *fmt, ...) IB_PRINTF(2, 3);

/** The code of an error; e must not be NULL. */
enum ib_code ib_error_code(const struct ib_error *e);
/** The cause; borrowed, lives as long as the error. */
const char *ib_error_cause(const struct ib_error *e);
/** The hint or NULL; borrowed. */
const char *ib_error_hint(const struct ib_error *e);
/** The number of steps. */
size_t ib_error_steps(const struct ib_error *e);
/** Step i, 0 = outermost; borrowed. */
const char *ib_error_step(const struct ib_error *e, size_t i);
/** The errno behind the error, 0 when there is none. */
int ib_error_errno(const struct ib_error *e);

/** Free an error and forget it: *err becomes NULL. NULL inside is fine. */
void ib_error_clear(struct ib_error **err);

/**
 * The text shown to a user:
 *
 *     PROGRAM: error: outermost step, or the cause when there is none
 *       while inner step
 *       cause: …
 *       hint: …
 *
 * @return owned by the caller (g_free); ends with a newline
 */
char *ib_error_format(const struct ib_error *e, const char *program);

/** Cleanup form: IB_CLEANUP(ib_error_clear) struct ib_error *err = NULL; */
#define ib_auto_error IB_CLEANUP(ib_error_clear) struct ib_error *

#endif
