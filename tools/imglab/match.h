/**
 * imglab/match: where the bytes ahead stood before. Hash chains over one buffer:
 * four bytes of memory for each byte, time linear in the buffer.
 */
#ifndef IMGLAB_MATCH_H
#define IMGLAB_MATCH_H

#include <stddef.h>
#include <stdint.h>

/** Shortest match that is found. */
#define LAB_MATCH_MIN 4u

struct lab_matcher {
	const uint8_t *data; /**< borrowed */
	size_t size;         /**< below 4 GB */
	size_t filled;       /**< positions before this one can be found */
	uint32_t *head;      /**< by hash: last position + 1 */
	uint32_t *before;    /**< by position: the one before with the same hash, + 1 */
	unsigned bits;       /**< of the hash */
	unsigned depth;      /**< candidates to look at */
};

/** A match: length bytes at from are those at the position asked for. length 0: none. */
struct lab_match {
	size_t from;
	size_t length;
};

/** Begin over a buffer; free with lab_matcher_fini(). @param depth  candidates to look at: more is slower, better */
void lab_matcher_init(struct lab_matcher *m, const uint8_t *data, size_t size, unsigned depth);
/** Free its memory. */
void lab_matcher_fini(struct lab_matcher *m);

/** Make all positions before this one findable. */
void lab_matcher_fill(struct lab_matcher *m, size_t until);

/**
 * The longest match for the bytes at pos among the nearest candidates before it, the nearest of equal ones.
 *
 * @param low  matches begin here or behind
 * @param max  longest to look for; the end of the buffer bounds it too
 */
struct lab_match lab_matcher_find(const struct lab_matcher *m, size_t pos, size_t low, size_t max);

/** How many bytes are alike, at most max. */
size_t lab_common(const uint8_t *a, const uint8_t *b, size_t max);

#endif
