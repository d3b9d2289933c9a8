/**
 * imglab/prefix: lengths of prefix codes, for whatever writes symbols of
 * different frequency (deltas, cabinets). The codes themselves differ from
 * format to format and are made there.
 */
#ifndef IMGLAB_PREFIX_H
#define IMGLAB_PREFIX_H

#include <stddef.h>
#include <stdint.h>

/** Most symbols of one code. */
#define LAB_PREFIX_MAX 720

/**
 * Lengths of a complete code of at least two symbols, after Huffman, none above a limit.
 *
 * @param counts   how often each symbol comes; 0: not at all, it gets no code
 * @param n        symbols; at most LAB_PREFIX_MAX
 * @param limit    longest length; 2^limit is at least n
 * @param lengths  n of them; all 0 when nothing comes at all. A code of one symbol gets a second one, unused.
 */
void lab_prefix_lengths(const uint32_t *counts, size_t n, unsigned limit, uint8_t *lengths);

#endif
