/**
 * base/parallel: the same work for many things, on all processors.
 */
#ifndef IB_BASE_PARALLEL_H
#define IB_BASE_PARALLEL_H

#include "base/base.h"

/** The work for thing number `index`. Any thread, in any order. */
typedef void (*ib_parallel_fn)(unsigned index, void *data);

/**
 * Do fn for 0 .. count - 1, on as many threads as there are processors; the calling thread is one of them. Returns when
 * all is done. Where no thread can be had, fewer do the work. What fn finds out goes into places of its own, one for each
 * index, and the caller takes them in order: so the result does not depend on the number of threads.
 * @param threads  most threads at work; 0 = number of processors
 * @param data     handed to fn; borrowed
 */
void ib_parallel(unsigned count, unsigned threads, ib_parallel_fn fn, void *data);

#endif
