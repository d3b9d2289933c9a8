#include "prefix.h"

#include <stdlib.h>
#include <string.h>

struct leaf {
	uint32_t count;
	uint16_t symbol;
};

static int compare_leaves(const void *x, const void *y)
{
	const struct leaf *a = x, *b = y;

	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	return a->symbol < b->symbol ? -1 : 1;
}

/* Symbols that come, the rarest first; a lonely one gets company. */
static size_t gather(const uint32_t *counts, size_t n, struct leaf *leaves)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++)
		if (counts[i])
			leaves[used++] = (struct leaf){ counts[i], (uint16_t)i };
	if (used == 1) {
		leaves[used++] = (struct leaf){ 1, leaves[0].symbol == 0 };
	}
	qsort(leaves, used, sizeof(*leaves), compare_leaves);
	return used;
}

/* Huffman with two queues: leaves and inner nodes both come in order of weight. @param depths  of the leaves */
static void measure(const struct leaf *leaves, size_t n, unsigned *depths)
{
	uint64_t weight[LAB_PREFIX_MAX];
	uint16_t parent[2 * LAB_PREFIX_MAX] = { 0 }; /* leaves first, inner nodes behind them */
	unsigned depth[LAB_PREFIX_MAX];
	size_t leaf = 0, inner = 0;

	for (size_t made = 0; made + 1 < n; made++) {
		weight[made] = 0;
		for (int side = 0; side < 2; side++) {
			if (leaf < n && (inner >= made || leaves[leaf].count <= weight[inner])) {
				weight[made] += leaves[leaf].count;
				parent[leaf++] = (uint16_t)made;
			} else {
				weight[made] += weight[inner];
				parent[n + inner++] = (uint16_t)made;
			}
		}
	}
	depth[n - 2] = 0;
	for (size_t i = n - 2; i-- > 0;)
		depth[i] = depth[parent[n + i]] + 1;
	for (size_t i = 0; i < n; i++)
		depths[i] = depth[parent[i]] + 1;
}

/* How many symbols have which length, none above the limit, so that the code stays complete. */
static void limit_lengths(const unsigned *depths, size_t n, unsigned limit, unsigned *of_length)
{
	uint64_t room = 0;

	for (size_t i = 0; i < n; i++)
		of_length[depths[i] < limit ? depths[i] : limit]++;
	for (unsigned len = 1; len <= limit; len++)
		room += (uint64_t)of_length[len] << (limit - len);
	for (; room > (uint64_t)1 << limit; room--) {
		/* one of the longest becomes the brother of a shorter one, which grows by a bit */
		of_length[limit]--;
		for (unsigned len = limit - 1; len > 0; len--) {
			if (of_length[len]) {
				of_length[len]--;
				of_length[len + 1] += 2;
				break;
			}
		}
	}
}

void lab_prefix_lengths(const uint32_t *counts, size_t n, unsigned limit, uint8_t *lengths)
{
	struct leaf leaves[LAB_PREFIX_MAX];
	unsigned depths[LAB_PREFIX_MAX], of_length[32] = { 0 };
	size_t used = gather(counts, n, leaves);

	memset(lengths, 0, n);
	if (used == 0)
		return;
	measure(leaves, used, depths);
	limit_lengths(depths, used, limit, of_length);
	size_t next = 0; /* the rarest get the longest */
	for (unsigned len = limit; len > 0; len--)
		for (unsigned k = 0; k < of_length[len]; k++)
			lengths[leaves[next++].symbol] = (uint8_t)len;
}
