/**
 * imglab/hostile: update packages with one fault each, and `good.cab` without
 * any, so that what refuses the others is known to be the fault. They are small
 * cabinets for the lab's base; where the fault is not the signature itself, all is
 * signed by the lab's catalog signer: what a stranger wrote and somebody trusted
 * signed must be refused for what it says.
 *
 * The name of a file says what is wrong with it. What must come of each stands in
 * tests/hostile/servicing.sh.
 */
#ifndef IMGLAB_HOSTILE_H
#define IMGLAB_HOSTILE_H

#include "base/base.h"

/**
 * `imglab hostile -o DIR`: write them all.
 *
 * @param seed  of the base they are for
 * @param dir   made when missing
 */
bool lab_hostile_write(uint64_t seed, const char *dir, struct ib_error **err) IB_MUST_CHECK;

#endif
