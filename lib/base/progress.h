/**
 * base/progress: a tree of steps weighted by bytes.
 *
 * Each step knows how many bytes it is worth; the fraction done of the root is
 * the sum over its steps. A renderer sees at most ten events a second, and the
 * last one (100 %) only when the root is finished, that is after the last file
 * is closed and checked. The same channel carries the wish to stop: when the
 * callback returns false, ib_progress_add() throws IB_ERR_INTERRUPTED.
 *
 * A NULL step is allowed in every function and does nothing.
 * Threads: all functions may be called from any thread.
 */
#ifndef IB_BASE_PROGRESS_H
#define IB_BASE_PROGRESS_H

#include "base/base.h"

struct ib_progress;

/** One event. Text is borrowed for the call. */
struct ib_progress_event {
	const char *step;     /**< name of the deepest step that moved, "reading base" */
	double fraction;      /**< of the root, 0..1; 1 only in the last event */
	uint64_t done_bytes;  /**< of the step */
	uint64_t total_bytes; /**< of the step; 0 when unknown */
	bool finished;        /**< last event of the root */
};

/** @return false to stop the work */
typedef bool (*ib_progress_fn)(const struct ib_progress_event *event, void *data);

/**
 * A new root.
 * @param fn    renderer; NULL makes a root that only counts
 * @param data  handed to fn; borrowed
 * @return owned by the caller (ib_progress_free)
 */
struct ib_progress *ib_progress_new(ib_progress_fn fn, void *data);

/**
 * A step below parent. Steps belong to the root and die with it.
 * @param name          shown to the user; copied
 * @param weight_bytes  what the step is worth; steps added later rescale the fraction
 */
struct ib_progress *ib_progress_step(struct ib_progress *parent, const char *name, uint64_t weight_bytes);

/** Bytes done in this step; throws IB_ERR_INTERRUPTED when the user wants to stop. */
bool ib_progress_add(struct ib_progress *step, uint64_t bytes, struct ib_error **err) IB_MUST_CHECK;

/** The step is complete, whatever was counted. On the root: sends the last event. */
void ib_progress_done(struct ib_progress *step);

/** Free the root and all steps; NULL is fine. */
void ib_progress_free(struct ib_progress *root);

#endif
