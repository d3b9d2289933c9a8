/**
 * imglab/containers: the same updates in the other containers they come in:
 * numbered members behind an index, a .psf beside its cabinet, a WIM, a servicing
 * stack and a cumulative update in one .msu; and wrong ones.
 *
 *     containers/windows10.0-kb5001384-x64-numbered.msu   4C: `_manifest_.cix.xml`, children's names in upper case
 *     containers/psf/Windows10.0-KB5005568-x64.{cab,psf}  9B: forward differentials against RTM
 *     containers/psf-baseless/…       9B: PA31 differentials that need nothing
 *     containers/psf-checkpoint/Windows10.0-KB5006672-x64.{cab,psf}   10B: PA31 differentials against 4C, the
 *                                     "checkpoint", with history.cix.xml: only for an image that has 4C's files
 *     containers/windows11.0-kb5005568-x64.msu            9B as a WIM: cabinet, .psf, servicing stack
 *     containers/windows10.0-kb5005568-x64-combined.msu   9B and the servicing stack as a cabinet
 *     refused/containers/windows10.0-kb5001384-x64-*.msu  an index with a missing member, a cycle, a wrong hash, a
 *                                                         spoiled member
 *     refused/containers/psf-range/…, psf-spoiled/…       a range behind the end, a spoiled range
 */
#ifndef IMGLAB_CONTAINERS_H
#define IMGLAB_CONTAINERS_H

#include "content.h"
#include "msu.h"

/** What containers are made from. All borrowed. */
struct lab_containers {
	struct lab_arena *arena;
	struct lab_world *world;
	const struct lab_pki *pki;
	const char *dir;             /**< of the packages */
	unsigned release;            /**< of the update */
	struct lab_package *root;    /**< the update */
	struct lab_package *stack;   /**< the servicing stack it needs; where one is packed */
};

/** Numbered members, good and bad. */
bool lab_containers_numbered(const struct lab_containers *c, struct ib_error **err) IB_MUST_CHECK;
/** A .psf against RTM and one against nothing, the WIM, the combined .msu; bad ones. */
bool lab_containers_psf(const struct lab_containers *c, struct ib_error **err) IB_MUST_CHECK;
/** A .psf against another update. @param checkpoint  that one's release */
bool lab_containers_checkpoint(const struct lab_containers *c, unsigned checkpoint, struct ib_error **err) IB_MUST_CHECK;

#endif
