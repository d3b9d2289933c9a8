/** imglab/base: `imglab base`, an installation disc with no Microsoft file on it. */
#ifndef IMGLAB_BASE_H
#define IMGLAB_BASE_H

#include "content.h"

/**
 * Write DIR/lab-base.iso and DIR/lab-root.pem. Same options, same bytes.
 *
 * @param options  what the world is made from; borrowed
 * @param dir      made when missing
 */
bool lab_base_write(const struct lab_world_options *options, const char *dir, struct ib_error **err) IB_MUST_CHECK;

#endif
