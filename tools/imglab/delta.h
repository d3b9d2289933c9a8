/**
 * imglab/delta: differentials (PA30, PA31) and compressed manifests (DCM), as
 * updates carry them. Written from the format's public description; nothing
 * here is shared with imgbuild's reader, so each judges the other.
 *
 * The patch body is PseudoLzx with tables of its own for the codes, or the
 * format's default ones where these are shorter; moved blocks get a table of
 * shifts. Of programs (i386, amd64) the source is first brought to the target's
 * layout: its tables and code point to where things went. Made for being small enough and fast enough, not for being the best.
 */
#ifndef IMGLAB_DELTA_H
#define IMGLAB_DELTA_H

#include "digest/digest.h"

/** How the codes of a patch are given. */
enum lab_delta_codes {
	LAB_DELTA_SHORTER, /**< whichever is shorter */
	LAB_DELTA_DEFAULT, /**< the format's own flat codes */
	LAB_DELTA_TABLES,  /**< tables, one for each block */
};

/** What to make; zeroed means a bare PA30 record with SHA-256 of its target, made against nothing. */
struct lab_delta {
	GBytes *source;   /**< borrowed; NULL: none */
	GBytes *target;   /**< borrowed */
	bool pa31;        /**< PA31: names the source's SHA-256, too */
	bool crc;         /**< CRC-32 before the record, as in f\, r\, n\ and PSF */
	bool no_hash;     /**< names no hash, as compressed manifests do */
	bool program;     /**< of programs, transform the source first, where that can be done; else a RAW record */
	uint64_t flags;   /**< as the Windows SDK numbers them; 0 with program: the usual ones of the machine */
	enum lab_delta_codes codes;
	uint64_t claim;   /**< the target's size as the record gives it, a lie; 0: its own */
	uint32_t block_bytes; /**< a new block of codes after about so many bytes of target; 0: 65,536 */
};

/** The record. @return owned by the caller (g_bytes_unref) */
GBytes *lab_delta_make(const struct lab_delta *d);

/**
 * A compressed manifest.
 *
 * @param dictionary  what the image's wcp.dll has as resource 614/1; borrowed
 * @param xml         borrowed
 * @return owned by the caller (g_bytes_unref)
 */
GBytes *lab_dcm_make(GBytes *dictionary, GBytes *xml);

#endif
