/* RELOCS: addresses that the loader would correct, and the table of them, which is sorted anew. */
#include "delta/pe_internal.h"

#define HIGH 1u
#define LOW 2u
#define HIGHLOW 3u
#define HIGHADJ 4u
#define DIR64 10u
#define PAGE 0xfffu
#define TABLE_FREE (UINT32_C(1) << 20)

struct reloc {
	uint32_t rva; /* of the target */
	uint16_t type;
	uint16_t argument; /* HIGHADJ only */
};

struct relocs {
	struct reloc *e;
	struct reloc *spare;
	size_t n;
	size_t room;
};

static bool add(struct relocs *l, struct reloc r, struct ib_error **err)
{
	if (l->n == l->room) /* blocks that overlap the table's end */
		return ib_throw(err, IB_ERR_INPUT, "the source program has more relocations than its table holds");
	l->e[l->n++] = r;
	return true;
}

/* What the relocation at an RVA asks for, with the source's and the target's bases. */
static void apply(struct ib_delta_job *j, uint32_t rva, unsigned type)
{
	unsigned n = type == DIR64 ? 8 : type == HIGHLOW ? 4 : 2;
	size_t at = ib_delta_pe_offset(&j->pe, rva, n);

	if (at == IB_DELTA_NOWHERE || (type != DIR64 && (type < HIGH || type > HIGHADJ)))
		return;
	uint8_t *p = j->bytes + at;
	if (type == HIGHLOW)
		ib_put_le32(p, (uint32_t)(j->to->image_base +
				(uint64_t)ib_delta_map(j, (uint32_t)(ib_le32(p) - j->pe.image_base))));
	else if (type == DIR64)
		ib_put_le64(p, j->to->image_base + (uint64_t)ib_delta_map(j, (int64_t)(ib_le64(p) - j->pe.image_base)));
	ib_delta_mark(j, at, n, IB_DELTA_BOTH);
}

/* One block of the table: size bytes of entries for a page. */
static bool read_block(struct ib_delta_job *j, const uint8_t *p, size_t size, uint32_t page, struct relocs *l,
		       struct ib_error **err)
{
	for (size_t i = 0; i + 2 <= size; i += 2) {
		uint16_t v = ib_le16(p + i);
		struct reloc r = { .type = v >> 12 };
		uint32_t rva = page + (v & PAGE);
		if (r.type == 0)
			return true;
		apply(j, rva, r.type);
		if (r.type == HIGHADJ && i + 4 <= size) {
			i += 2;
			r.argument = ib_le16(p + i);
		}
		r.rva = (uint32_t)ib_delta_map(j, rva);
		if (!add(l, r, err))
			return false;
	}
	return true;
}

static bool read_table(struct ib_delta_job *j, const uint8_t *table, size_t size, struct relocs *l,
		       struct ib_error **err)
{
	size_t at = 0;

	while (size - at >= 8) {
		uint32_t page = ib_le32(table + at), block = ib_le32(table + at + 4);
		if (block < 8)
			break;
		size_t n = MIN(block, size - at);
		if (!read_block(j, table + at + 8, n - 8, page, l, err))
			return false;
		at += n;
	}
	return true;
}

static void sort(struct relocs *l)
{
	for (size_t width = 1; width < l->n; width *= 2) {
		for (size_t i = 0; i < l->n; i += 2 * width) {
			size_t mid = MIN(i + width, l->n), end = MIN(i + 2 * width, l->n), a = i, b = mid;
			for (size_t k = i; k < end; k++)
				l->spare[k] =
					b >= end || (a < mid && l->e[a].rva <= l->e[b].rva) ? l->e[a++] : l->e[b++];
		}
		struct reloc *swap = l->e;
		l->e = l->spare;
		l->spare = swap;
	}
}

/* One block for the relocations of a page; bytes it takes, 0 when there is no room. */
static size_t write_block(const struct reloc *r, size_t n, uint8_t *out, size_t room)
{
	size_t words = n;

	for (size_t i = 0; i < n; i++)
		words += r[i].type == HIGHADJ;
	size_t size = 8 + 2 * (words + (words & 1));
	if (size > room)
		return 0;
	ib_put_le32(out, r->rva & ~PAGE);
	ib_put_le32(out + 4, (uint32_t)size);
	ib_put_le16(out + size - 2, 0); /* the padding, if any */
	uint8_t *p = out + 8;
	for (size_t i = 0; i < n; i++) {
		ib_put_le16(p, (uint16_t)(r[i].type << 12 | (r[i].rva & PAGE)));
		p += 2;
		if (r[i].type == HIGHADJ) {
			ib_put_le16(p, r[i].argument);
			p += 2;
		}
	}
	return size;
}

static void write_table(const struct relocs *l, uint8_t *out, size_t room)
{
	size_t n;

	for (size_t i = 0; i < l->n; i += n) {
		n = 1;
		while (i + n < l->n && (l->e[i + n].rva & ~PAGE) == (l->e[i].rva & ~PAGE))
			n++;
		size_t size = write_block(l->e + i, n, out, room);
		if (size == 0)
			return;
		out += size;
		room -= size;
	}
}

/* Bytes from a place in the file to the end of its section's raw data. */
static size_t room_in_section(const struct ib_delta_job *j, uint32_t rva, size_t at)
{
	for (unsigned i = 0; i < j->pe.section_count; i++) {
		const struct ib_delta_section *s = &j->pe.sections[i];
		if (rva < s->va || rva - s->va >= ib_delta_section_extent(s))
			continue;
		uint64_t end = MIN((uint64_t)s->raw + s->raw_size, j->size);
		return end > at ? (size_t)(end - at) : 0;
	}
	return 0;
}

static bool rewrite(struct ib_delta_job *j, size_t at, struct ib_error **err)
{
	uint32_t rva = j->pe.dirs[IB_DELTA_DIR_RELOC].rva;
	size_t size = MIN(j->pe.dirs[IB_DELTA_DIR_RELOC].size, j->size - at);
	struct relocs l = { .room = size / 2 };

	/* sorting takes nine bytes for each of the table; genuine tables are a few hundredths of their file */
	if (size > j->size / 9 + TABLE_FREE)
		return ib_throw(err, IB_ERR_INPUT, "the source program has %zu bytes of relocations in a file of %zu",
				size, j->size);
	/* relocations may correct the table itself; what counts is how it was */
	g_autofree uint8_t *table = g_try_malloc(MAX(size, 1));
	l.e = g_try_malloc_n(l.room + 1, sizeof(*l.e));
	l.spare = g_try_malloc_n(l.room + 1, sizeof(*l.e));
	bool ok = table && l.e && l.spare;
	if (ok) {
		memcpy(table, j->bytes + at, size);
		ok = read_table(j, table, size, &l, err);
	} else {
		ib_throw_memory(err);
	}
	if (ok) {
		sort(&l);
		write_table(&l, j->bytes + at, room_in_section(j, rva, at));
	}
	g_free(l.e);
	g_free(l.spare);
	return ok;
}

/* An old i386 program that cannot be moved has no table: what looks like an address is taken for one. */
static void guess(struct ib_delta_job *j)
{
	uint32_t base = (uint32_t)j->pe.image_base;
	size_t at = j->pe.headers_size;

	while (at <= j->size && j->size - at >= 4) {
		uint8_t *p = j->bytes + at;
		uint32_t rva = ib_le32(p) - base;
		if (rva == 0 || rva >= j->pe.image_size || ib_le32(p) <= base) {
			at++;
			continue;
		}
		if (!((j->marks[at] | j->marks[at + 1] | j->marks[at + 2] | j->marks[at + 3]) & IB_DELTA_DONE)) {
			ib_put_le32(p, (uint32_t)(j->to->image_base + (uint64_t)ib_delta_map(j, rva)));
			ib_delta_mark(j, at, 4, IB_DELTA_BOTH);
		}
		at += 4;
	}
}

bool ib_delta_relocs(struct ib_delta_job *j, struct ib_error **err)
{
	uint32_t rva = j->pe.dirs[IB_DELTA_DIR_RELOC].rva;

	if (rva == 0 || j->pe.dirs[IB_DELTA_DIR_RELOC].size == 0) {
		if (j->pe.machine == IB_DELTA_MACHINE_I386)
			guess(j);
		return true;
	}
	size_t at = ib_delta_pe_offset(&j->pe, rva, 8);
	return at == IB_DELTA_NOWHERE || rewrite(j, at, err);
}
