/**
 * imglab/cix: packages behind an index (`urn:ContainerIndex`): numbered members
 * of a cabinet that are made from each other, or ranges of a .psf.
 */
#ifndef IMGLAB_CIX_H
#define IMGLAB_CIX_H

#include "model.h"

/** What is wrong with an index on purpose. */
enum lab_cix_flaw {
	LAB_CIX_FINE,
	LAB_CIX_NO_MEMBER, /**< a source is a member that is not there; .psf: a range behind its end */
	LAB_CIX_CYCLE,     /**< two files are each other's basis */
	LAB_CIX_HASH,      /**< one file's hash is another's */
	LAB_CIX_SPOILED,   /**< a byte of a source is changed: its hash tells */
};

/**
 * `_manifest_.cix.xml` and the members "0", "1", … it speaks of, as in cabinets of Windows 8: plain bytes, differentials
 * against nothing, against other files of the index, and exact copies of them; SHA-1 throughout.
 *
 * @param files  struct lab_member: all of a package
 * @param name   the container's
 * @param when   date of all files, seconds since 1970, UTC
 * @return struct lab_member, the index first; in the arena
 */
GPtrArray *lab_cix_numbered(struct lab_arena *a, const GPtrArray *files, const char *name, int64_t when,
			    enum lab_cix_flaw flaw);

/** A .psf and what belongs to it. */
struct lab_psf {
	GBytes *bytes; /**< the .psf */
	GBytes *index; /**< express.psf.cix.xml */
};

/**
 * A .psf. Differentials lie in it as they are; of the other files, some are packed by a differential against nothing.
 *
 * @param files  struct lab_member: what goes into it
 * @param name   the .psf's
 * @return its bytes are kept by the arena
 */
struct lab_psf lab_cix_psf(struct lab_arena *a, const GPtrArray *files, const char *name, int64_t when,
			   enum lab_cix_flaw flaw);

/** One row of a history: how a file is to be had. */
struct lab_history {
	const char *path;    /**< "<keyform>\\<file>" */
	GBytes *target;      /**< borrowed */
	const char *source;  /**< its differential, "<keyform>\\f\\<file>" */
	GBytes *basis;       /**< what that is made against, borrowed; NULL: nothing */
};

/** history.cix.xml: which basis, by hash, each differential of a .psf needs. @param rows  struct lab_history */
GBytes *lab_cix_history(const GPtrArray *rows, int64_t when);

#endif
