/* base, private: system calls that a test can make fail. */
#ifndef IB_BASE_INTERNAL_H
#define IB_BASE_INTERNAL_H

#include "base/base.h"

#include <sys/types.h>

/* Past the page cache: below this waiting for the disk costs more than copying. */
#define IB_DIRECT_MIN (128u << 10)

/** Whether the armed fault falls on this call; sets errno when it does. */
bool ib_fault_hit(void);

/** An input's bytes when it is memory; borrowed. Else NULL. */
GBytes *ib_input_memory(const struct ib_input *in);

/**
 * Where bytes of an input lie in the file below. The range was checked by the caller.
 * @param ret_at   the place of byte `offset` in that file
 * @param ret_run  so many of `len` bytes lie together from there
 * @return the file, borrowed; -1: the bytes are in memory
 */
int ib_input_locate(struct ib_input *in, uint64_t offset, uint64_t len, uint64_t *ret_at, uint64_t *ret_run);

#endif
