/*
 * RESOURCES: offsets in the resource tree, which count from its start. The creator treats the address in a leaf, an
 * RVA, as such an offset too.
 */
#include "delta/pe_internal.h"

#define BELOW 0x80000000u /* a directory, or a name */

struct walk {
	struct ib_delta_job *j;
	uint32_t rva; /* of the tree */
	size_t at;    /* its place in the file */
	size_t size;  /* bytes of it that the file has */
	GArray *todo; /* uint32_t offsets of directories */
};

static void move_offset(struct walk *w, size_t offset)
{
	uint8_t *p = w->j->bytes + w->at + offset;
	uint32_t v = ib_le32(p);

	if ((v & ~BELOW) == 0)
		return;
	uint64_t moved =
		(uint64_t)ib_delta_map(w->j, (int64_t)w->rva + (v & ~BELOW)) - (uint64_t)ib_delta_map(w->j, w->rva);
	ib_put_le32(p, ((uint32_t)moved & ~BELOW) | (v & BELOW));
	ib_delta_mark(w->j, w->at + offset, 4, IB_DELTA_BOTH);
}

/* Whether to look at a child: behind its entry, whole inside the tree, and for the first time. */
static bool enter(struct walk *w, size_t entry, uint32_t child)
{
	if (child <= entry || child > w->size || w->size - child < 16)
		return false;
	uint8_t *seen = &w->j->marks[w->at + child];
	if (*seen & IB_DELTA_SEEN)
		return false;
	*seen |= IB_DELTA_SEEN;
	return true;
}

static void walk_entry(struct walk *w, size_t entry)
{
	const uint8_t *p = w->j->bytes + w->at + entry;
	uint32_t name = ib_le32(p), child = ib_le32(p + 4);
	uint32_t offset = child & ~BELOW;

	if (name & BELOW)
		move_offset(w, entry);
	move_offset(w, entry + 4);
	if (!enter(w, entry, offset))
		return;
	if (child & BELOW)
		g_array_append_val(w->todo, offset);
	else
		move_offset(w, offset);
}

static bool walk_directory(struct walk *w, uint32_t dir, struct ib_error **err)
{
	const uint8_t *p = w->j->bytes + w->at + dir;
	size_t count = (size_t)ib_le16(p + 12) + ib_le16(p + 14);

	count = MIN(count, (w->size - dir - 16) / 8);
	if (!ib_delta_spend(w->j, count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		walk_entry(w, dir + 16 + 8 * i);
	return true;
}

bool ib_delta_resources(struct ib_delta_job *j, struct ib_error **err)
{
	uint32_t size = j->pe.dirs[IB_DELTA_DIR_RESOURCE].size;
	struct walk w = { .j = j, .rva = j->pe.dirs[IB_DELTA_DIR_RESOURCE].rva };

	w.at = w.rva ? ib_delta_pe_offset(&j->pe, w.rva, 16) : IB_DELTA_NOWHERE;
	if (w.at == IB_DELTA_NOWHERE || size < 16)
		return true;
	w.size = MIN(size, j->size - w.at);
	w.todo = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	uint32_t root = 0;
	bool ok = true;
	g_array_append_val(w.todo, root);
	while (ok && w.todo->len > 0) {
		uint32_t dir = g_array_index(w.todo, uint32_t, w.todo->len - 1);
		g_array_set_size(w.todo, w.todo->len - 1);
		ok = walk_directory(&w, dir, err);
	}
	g_array_free(w.todo, TRUE);
	return ok;
}
