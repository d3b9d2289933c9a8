/** imglab/delta, inside: the patch as a row of matches with literals between. */
#ifndef IMGLAB_DELTA_INTERNAL_H
#define IMGLAB_DELTA_INTERNAL_H

#include "delta.h"
#include "deltabits.h"

/** Kinds of distance, as main symbols number them ("slots"). */
enum lab_slot {
	LAB_SLOT_NEAR,      /**< 14 bits around where the shifts point; 1 and 2 reach farther */
	LAB_SLOT_SHIFTED = 3, /**< where the shifts point */
	LAB_SLOT_RECENT = 4,  /**< 4, 5, 6: a distance used before */
	LAB_SLOT_ESCAPE = 7,  /**< stands for slots from 43 on */
	LAB_SLOT_ONE = 8,     /**< 8, 9, 10: distance 1, 2, 3 */
	LAB_SLOT_FAR = 11,    /**< two slots for each power of two */
};

/** Literals, then a match; the last one of a row may have no match (length 0). */
struct lab_step {
	uint32_t literals;
	uint32_t length;
	uint64_t distance;
	uint64_t extra;  /**< slots 0 to 2: the bits to write; 11 and up: the distance */
	uint8_t slot;
};

/** What a patch is made of. Free with lab_parse_fini(). */
struct lab_parse {
	const uint8_t *all;  /**< source, then target; borrowed */
	size_t source, size; /**< bytes of the source, of both */
	bool no_shifts;      /**< distances are not to be counted from where shifts point */
	GArray *shifts;      /**< struct lab_shift, positions in all, ascending: what the patch announces */
	GArray *steps;       /**< struct lab_step */
};

/** Find the matches. `all`, `source`, `size` and `no_shifts` are set; the rest is made. */
void lab_parse(struct lab_parse *p);
/** Free what lab_parse() made. */
void lab_parse_fini(struct lab_parse *p);

/** Write a patch. @return owned by the caller (g_byte_array_unref) */
GByteArray *lab_patch(const struct lab_parse *p, enum lab_delta_codes codes, size_t block_bytes);

#endif
