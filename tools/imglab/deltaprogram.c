/* Tables of programs: headers, imports, exports, resources, relocations; and the record's part about them. */
#include "deltaprogram.h"

#include <string.h>

#include "base/bytes.h"

enum dir { DIR_EXPORT, DIR_IMPORT, DIR_RESOURCE, DIR_EXCEPTION, DIR_SECURITY, DIR_RELOC, DIR_CLI = 14 };
enum { I386 = 0x14c, AMD64 = 0x8664 };

/* Moved pieces that are told; the rest follows the piece before. */
#define MOVES_MAX 3000u
/* A match shorter than this says nothing about where code went. */
#define MOVE_WORTH 24u
/* A resource tree of more directories is none of ours. */
#define RESOURCES_MAX 65536u

/* ---- headers ---- */

bool lab_pe_image_read(struct lab_pe_image *pe, uint8_t *bytes, size_t size)
{
	*pe = (struct lab_pe_image){ .bytes = bytes, .size = size };
	if (size < 64 || memcmp(bytes, "MZ", 2) != 0)
		return false;
	size_t nt = ib_le32(bytes + 60);
	if (nt > size || size - nt < 24 || memcmp(bytes + nt, "PE\0\0", 4) != 0)
		return false;
	size_t optional_size = ib_le16(bytes + nt + 20), dirs;
	pe->coff = nt + 4;
	pe->optional = nt + 24;
	pe->machine = ib_le16(bytes + pe->coff);
	pe->sections = ib_le16(bytes + pe->coff + 2);
	if (pe->sections > LAB_PE_SECTIONS || optional_size < 112 || pe->optional + optional_size > size ||
	    pe->sections * 40 > size - pe->optional - optional_size)
		return false;
	const uint8_t *o = bytes + pe->optional;
	pe->plus = ib_le16(o) == 0x20b;
	pe->base = pe->plus ? ib_le64(o + 24) : ib_le32(o + 28);
	pe->image_size = ib_le32(o + 56);
	pe->headers_size = ib_le32(o + 60);
	dirs = pe->plus ? 112 : 96;
	for (size_t i = 0; i < 16 && i < ib_le32(o + dirs - 4) && dirs + 8 * i + 8 <= optional_size; i++) {
		pe->dirs[i][0] = ib_le32(o + dirs + 8 * i);
		pe->dirs[i][1] = ib_le32(o + dirs + 8 * i + 4);
	}
	for (unsigned i = 0; i < pe->sections; i++) {
		size_t at = pe->optional + optional_size + 40 * i;
		const uint8_t *s = bytes + at;

		pe->section[i] = (struct lab_pe_section){ .size = ib_le32(s + 8), .rva = ib_le32(s + 12), .header = at,
							  .raw_size = ib_le32(s + 16), .raw = ib_le32(s + 20),
							  .flags = ib_le32(s + 36),
							  .idata = memcmp(s, ".idata\0\0", 8) == 0 };
	}
	return true;
}

size_t lab_pe_at(const struct lab_pe_image *pe, uint64_t rva, size_t need)
{
	uint64_t at = UINT64_MAX;

	if (rva < pe->headers_size)
		at = rva;
	for (unsigned i = 0; i < pe->sections && at == UINT64_MAX; i++) {
		const struct lab_pe_section *s = &pe->section[i];

		if (rva >= s->rva && rva - s->rva < MAX(s->size, s->raw_size))
			at = s->raw + (rva - s->rva);
	}
	return at > pe->size || need > pe->size - at ? LAB_NOWHERE : (size_t)at;
}

uint32_t lab_pe_rva(const struct lab_pe_image *pe, size_t at)
{
	for (unsigned i = 0; i < pe->sections; i++) {
		const struct lab_pe_section *s = &pe->section[i];

		if (s->raw && at >= s->raw && at - s->raw < s->raw_size)
			return (uint32_t)(s->rva + (at - s->raw));
	}
	return (uint32_t)at;
}

int64_t lab_pe_map(const struct lab_pe_image *pe, int64_t rva)
{
	guint low = 0, high = pe->map->len; /* entries before low begin at or below rva */

	if (high == 0)
		return rva;
	while (low < high) {
		guint mid = (low + high) / 2;

		if (g_array_index(pe->map, struct lab_shift, mid).from <= rva)
			low = mid + 1;
		else
			high = mid;
	}
	const struct lab_shift *s = &g_array_index(pe->map, struct lab_shift, (low ? low : pe->map->len) - 1);
	return rva + (s->to - s->from);
}

void lab_pe_mark(struct lab_pe_image *pe, size_t at, size_t n, uint8_t bits)
{
	for (size_t i = at; i < pe->size && i - at < n; i++)
		pe->marks[i] |= bits;
}

void lab_pe_map_field(struct lab_pe_image *pe, size_t at)
{
	uint32_t v;

	if (at == LAB_NOWHERE || at + 4 > pe->size)
		return;
	v = ib_le32(pe->bytes + at);
	if (v == 0)
		return;
	ib_put_le32(pe->bytes + at, (uint32_t)lab_pe_map(pe, v));
	lab_pe_mark(pe, at, 4, LAB_MARK_BOTH);
}

/* ---- marks ---- */

static void mark(struct lab_pe_image *pe)
{
	if (pe->machine == I386) {
		lab_pe_mark(pe, 0, pe->size, LAB_MARK_DATA);
		for (unsigned i = 0; i < pe->sections; i++) {
			const struct lab_pe_section *s = &pe->section[i];

			for (size_t at = s->raw; s->flags & 0x20000000 && at < pe->size && at - s->raw < s->raw_size; at++)
				pe->marks[at] &= (uint8_t)~LAB_MARK_DATA;
		}
	}
	lab_pe_mark(pe, 0, pe->headers_size, LAB_MARK_BOTH);
	for (unsigned i = 0; i < 16; i++) {
		size_t at = pe->dirs[i][0] && pe->dirs[i][1] ? lab_pe_at(pe, pe->dirs[i][0], 0) : LAB_NOWHERE;

		if (at != LAB_NOWHERE)
			lab_pe_mark(pe, at, pe->dirs[i][1], LAB_MARK_BOTH);
	}
}

/* ---- imports and exports ---- */

static size_t descriptor(const struct lab_pe_image *pe, unsigned i)
{
	size_t at = pe->dirs[DIR_IMPORT][0] ? lab_pe_at(pe, pe->dirs[DIR_IMPORT][0] + 20ull * i, 20) : LAB_NOWHERE;
	const uint8_t *p = pe->bytes + at;

	return at == LAB_NOWHERE || (!ib_le32(p) && !ib_le32(p + 12) && !ib_le32(p + 16)) ? LAB_NOWHERE : at;
}

static bool is_bound(const struct lab_pe_image *pe)
{
	size_t at;

	for (unsigned i = 0; (at = descriptor(pe, i)) != LAB_NOWHERE; i++)
		if (ib_le32(pe->bytes + at + 4))
			return true;
	return false;
}

static void mark_name(struct lab_pe_image *pe, uint32_t rva)
{
	size_t at = lab_pe_at(pe, rva, 2), n = 2;

	if (at == LAB_NOWHERE)
		return;
	while (at + n < pe->size && pe->bytes[at + n])
		n++;
	lab_pe_mark(pe, at, n + 1, LAB_MARK_BOTH);
}

static void map_thunks(struct lab_pe_image *pe, uint32_t rva, bool lookup)
{
	size_t step = pe->plus ? 8 : 4, at = rva ? lab_pe_at(pe, rva, step) : LAB_NOWHERE;
	bool names = true; /* a look-up table that begins with an ordinal keeps its names as they are */
	uint64_t v;

	if (at == LAB_NOWHERE)
		return;
	for (bool first = true; at + step <= pe->size; at += step, first = false) {
		v = pe->plus ? ib_le64(pe->bytes + at) : ib_le32(pe->bytes + at);
		if (v == 0)
			return;
		bool ordinal = v >> (8 * step - 1);
		if (first && lookup && ordinal)
			names = false;
		lab_pe_mark(pe, at, step, LAB_MARK_DATA);
		if (ordinal || v >> 32 || !names)
			continue;
		mark_name(pe, (uint32_t)v);
		ib_put_le32(pe->bytes + at, (uint32_t)lab_pe_map(pe, (int64_t)v));
	}
}

static void imports(struct lab_pe_image *pe)
{
	size_t at;

	for (unsigned i = 0; (at = descriptor(pe, i)) != LAB_NOWHERE; i++) {
		map_thunks(pe, ib_le32(pe->bytes + at), true);
		map_thunks(pe, ib_le32(pe->bytes + at + 16), false);
		lab_pe_map_field(pe, at);
		lab_pe_map_field(pe, at + 12);
		lab_pe_map_field(pe, at + 16);
	}
}

static void exports(struct lab_pe_image *pe)
{
	static const unsigned arrays[][2] = { { 28, 20 }, { 32, 24 } }, fields[] = { 12, 28, 32, 36 };
	size_t at = pe->dirs[DIR_EXPORT][0] ? lab_pe_at(pe, pe->dirs[DIR_EXPORT][0], 40) : LAB_NOWHERE;
	uint32_t rva[2], count[2];

	if (at == LAB_NOWHERE)
		return;
	for (unsigned i = 0; i < 2; i++) {
		rva[i] = ib_le32(pe->bytes + at + arrays[i][0]);
		count[i] = ib_le32(pe->bytes + at + arrays[i][1]);
	}
	for (unsigned i = 0; i < 2; i++) {
		size_t array = rva[i] ? lab_pe_at(pe, rva[i], 0) : LAB_NOWHERE;

		for (uint32_t k = 0; array != LAB_NOWHERE && k < count[i] && array + 4 * (size_t)k + 4 <= pe->size; k++)
			lab_pe_map_field(pe, array + 4 * (size_t)k);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
		lab_pe_map_field(pe, at + fields[i]);
}

/* ---- resources: all offsets are taken as such from the directory, even the leaves' RVAs ---- */

struct tree {
	struct lab_pe_image *pe;
	size_t at;     /* of the directory in the file */
	uint32_t rva;
	size_t size;
	GArray *todo;  /* uint32_t: directories */
};

static void move_offset(struct tree *t, size_t field)
{
	uint8_t *p = t->pe->bytes + t->at + field;
	uint32_t v = ib_le32(p), offset = v & 0x7fffffff;

	if (offset == 0)
		return;
	offset = (uint32_t)(lab_pe_map(t->pe, (int64_t)t->rva + offset) - lab_pe_map(t->pe, t->rva));
	ib_put_le32(p, (offset & 0x7fffffff) | (v & 0x80000000));
	lab_pe_mark(t->pe, t->at + field, 4, LAB_MARK_BOTH);
}

static void walk_entry(struct tree *t, size_t entry)
{
	const uint8_t *p = t->pe->bytes + t->at + entry;
	uint32_t name = ib_le32(p), child = ib_le32(p + 4), offset = child & 0x7fffffff;

	if (name & 0x80000000)
		move_offset(t, entry);
	move_offset(t, entry + 4);
	if (offset <= entry || offset > t->size || t->size - offset < 16 ||
	    t->pe->marks[t->at + offset] & LAB_MARK_SEEN)
		return;
	t->pe->marks[t->at + offset] |= LAB_MARK_SEEN;
	if (child & 0x80000000)
		g_array_append_val(t->todo, offset);
	else
		move_offset(t, offset);
}

static void resources(struct lab_pe_image *pe)
{
	struct tree t = { .pe = pe, .rva = pe->dirs[DIR_RESOURCE][0] };
	uint32_t root = 0;

	t.at = t.rva ? lab_pe_at(pe, t.rva, 16) : LAB_NOWHERE;
	if (t.at == LAB_NOWHERE || pe->dirs[DIR_RESOURCE][1] < 16)
		return;
	t.size = MIN(pe->dirs[DIR_RESOURCE][1], pe->size - t.at);
	t.todo = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	g_array_append_val(t.todo, root);
	while (t.todo->len > 0 && t.todo->len < RESOURCES_MAX) {
		uint32_t dir = g_array_index(t.todo, uint32_t, t.todo->len - 1);
		const uint8_t *p = pe->bytes + t.at + dir;
		unsigned count = ib_le16(p + 12) + ib_le16(p + 14);

		g_array_set_size(t.todo, t.todo->len - 1);
		for (unsigned i = 0; i < count && dir + 24 + 8 * i <= t.size; i++)
			walk_entry(&t, dir + 16 + 8 * i);
	}
	g_array_unref(t.todo);
}

/* ---- relocations ---- */

struct reloc {
	uint32_t rva; /* in the target */
	uint16_t type;
};

static void relocate(struct lab_pe_image *pe, uint32_t rva, unsigned type)
{
	size_t n = type == 10 ? 8 : 4, at = lab_pe_at(pe, rva, n);

	if (at == LAB_NOWHERE)
		return;
	if (type == 10)
		ib_put_le64(pe->bytes + at, pe->to_base + (uint64_t)lab_pe_map(pe, (int64_t)(ib_le64(pe->bytes + at) - pe->base)));
	else
		ib_put_le32(pe->bytes + at,
			    (uint32_t)(pe->to_base + (uint64_t)lab_pe_map(pe, (uint32_t)(ib_le32(pe->bytes + at) - pe->base))));
	lab_pe_mark(pe, at, n, LAB_MARK_BOTH);
}

/* All of the table. @return struct reloc; NULL: kinds that are not done here */
static GArray *read_relocs(const struct lab_pe_image *pe, size_t at, size_t size, GArray *sources)
{
	GArray *list = g_array_new(FALSE, FALSE, sizeof(struct reloc));

	for (size_t block = 0; size - block >= 8;) {
		uint32_t page = ib_le32(pe->bytes + at + block), bytes = ib_le32(pe->bytes + at + block + 4);

		if (bytes < 8)
			break;
		bytes = (uint32_t)MIN(bytes, size - block);
		for (size_t i = 8; i + 2 <= bytes; i += 2) {
			uint16_t v = ib_le16(pe->bytes + at + block + i);
			uint32_t rva = page + (v & 0xfff);
			struct reloc r = { .rva = (uint32_t)lab_pe_map(pe, rva), .type = v >> 12 };

			if (r.type == 0)
				break;
			if (r.type != 3 && r.type != 10) {
				g_array_unref(list);
				return NULL;
			}
			g_array_append_val(list, r);
			g_array_append_val(sources, rva);
		}
		block += bytes;
	}
	return list;
}

/* Stable by mapped place. */
static void sort_relocs(GArray *list)
{
	for (guint i = 1; i < list->len; i++) {
		struct reloc r = g_array_index(list, struct reloc, i);
		guint k = i;

		for (; k > 0 && g_array_index(list, struct reloc, k - 1).rva > r.rva; k--)
			g_array_index(list, struct reloc, k) = g_array_index(list, struct reloc, k - 1);
		g_array_index(list, struct reloc, k) = r;
	}
}

static void write_relocs(struct lab_pe_image *pe, const GArray *list, size_t at, size_t end)
{
	for (guint i = 0; i < list->len;) {
		uint32_t page = g_array_index(list, struct reloc, i).rva & ~0xfffu;
		guint n = 0;

		while (i + n < list->len && (g_array_index(list, struct reloc, i + n).rva & ~0xfffu) == page)
			n++;
		size_t size = 8 + 2 * (n + (n & 1));
		if (size > end - at)
			return;
		ib_put_le32(pe->bytes + at, page);
		ib_put_le32(pe->bytes + at + 4, (uint32_t)size);
		ib_put_le16(pe->bytes + at + size - 2, 0);
		for (guint k = 0; k < n; k++, i++) {
			const struct reloc *r = &g_array_index(list, struct reloc, i);

			ib_put_le16(pe->bytes + at + 8 + 2 * k, (uint16_t)(r->type << 12 | (r->rva & 0xfff)));
		}
		at += size;
	}
}

/* The end of what the file has of the section around a place. */
static size_t section_end(const struct lab_pe_image *pe, uint32_t rva, size_t at)
{
	for (unsigned i = 0; i < pe->sections; i++) {
		const struct lab_pe_section *s = &pe->section[i];

		if (rva >= s->rva && rva - s->rva < MAX(s->size, s->raw_size))
			return MAX(MIN((size_t)s->raw + s->raw_size, pe->size), at);
	}
	return at;
}

static bool relocs(struct lab_pe_image *pe)
{
	uint32_t rva = pe->dirs[DIR_RELOC][0];
	size_t at = rva && pe->dirs[DIR_RELOC][1] ? lab_pe_at(pe, rva, 8) : LAB_NOWHERE;
	g_autoptr(GArray) sources = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	if (at == LAB_NOWHERE)
		return pe->machine != I386 || rva != 0;
	g_autoptr(GArray) list = read_relocs(pe, at, MIN(pe->dirs[DIR_RELOC][1], pe->size - at), sources);
	if (!list)
		return false;
	for (guint i = 0; i < list->len; i++)
		relocate(pe, g_array_index(sources, uint32_t, i), g_array_index(list, struct reloc, i).type);
	sort_relocs(list);
	write_relocs(pe, list, at, section_end(pe, rva, at));
	return true;
}

/* ---- all of it ---- */

static gint compare_shifts(gconstpointer x, gconstpointer y)
{
	const struct lab_shift *a = x, *b = y;

	return a->from < b->from ? -1 : a->from > b->from;
}

/* Where code went, by what of the source is found again. */
static GArray *find_moves(const struct lab_pe_image *from, const struct lab_pe_image *to, const struct lab_parse *raw)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct lab_shift));
	GArray *moves = g_array_new(FALSE, FALSE, sizeof(struct lab_shift));
	struct lab_shift start = { 0 };
	size_t pos = raw->source;

	for (guint i = 0; i < raw->steps->len; i++) {
		const struct lab_step *s = &g_array_index(raw->steps, struct lab_step, i);

		pos += s->literals;
		if (s->length >= MOVE_WORTH && pos - s->distance < raw->source) {
			struct lab_shift row = { .from = lab_pe_rva(from, pos - s->distance),
						 .to = lab_pe_rva(to, pos - raw->source) };
			g_array_append_val(all, row);
		}
		pos += s->length;
	}
	g_array_sort(all, compare_shifts);
	g_array_append_val(moves, start);
	for (guint i = 0; i < all->len && moves->len < MOVES_MAX; i++) {
		struct lab_shift row = g_array_index(all, struct lab_shift, i);
		const struct lab_shift *last = &g_array_index(moves, struct lab_shift, moves->len - 1);

		if (row.from != last->from && row.to - row.from != last->to - last->from)
			g_array_append_val(moves, row);
	}
	return moves;
}

static GByteArray *write_preprocess(const struct lab_pe_image *from, const struct lab_pe_image *to)
{
	struct lab_bits b = lab_bits_begin();
	g_autoptr(GArray) to_file = g_array_new(FALSE, FALSE, sizeof(struct lab_shift));
	struct lab_shift row = { 0 };

	g_array_append_val(to_file, row);
	for (unsigned i = 0; i < to->sections; i++) {
		row = (struct lab_shift){ .from = to->section[i].rva, .to = to->section[i].raw };
		if (row.from && row.to)
			g_array_append_val(to_file, row);
	}
	g_array_sort(to_file, compare_shifts);
	lab_bits_put(&b, to->base, 64);
	lab_bits_put(&b, 0, 32);
	lab_bits_put(&b, ib_le32(to->bytes + to->coff + 4), 32);
	lab_bits_rift(&b, &g_array_index(to_file, struct lab_shift, 0), to_file->len);
	lab_bits_put(&b, 0, 1); /* not managed */
	lab_bits_rift(&b, &g_array_index(from->map, struct lab_shift, 0), from->map->len);
	lab_bits_put(&b, 0, 1);
	return lab_bits_end(&b);
}

static bool run(struct lab_pe_image *pe, const struct lab_pe_image *to, uint64_t flags)
{
	bool amd64 = pe->machine == AMD64;

	ib_put_le32(pe->bytes + pe->optional + 64, 0); /* checksum */
	for (unsigned i = 0; i < pe->sections && flags & LAB_FLAG_UNBIND; i++)
		if (pe->section[i].idata)
			ib_put_le32(pe->bytes + pe->section[i].header + 36, pe->section[i].flags | 0xC0000000);
	memcpy(pe->bytes + pe->coff + 4, to->bytes + to->coff + 4, 4); /* time */
	if (flags & LAB_FLAG_MARK)
		mark(pe);
	if (flags & LAB_FLAG_IMPORTS)
		imports(pe);
	if (flags & LAB_FLAG_EXPORTS)
		exports(pe);
	if (flags & LAB_FLAG_RESOURCES)
		resources(pe);
	if (flags & LAB_FLAG_RELOCS && !relocs(pe))
		return false;
	if (!amd64 && flags & LAB_FLAG_JMPS)
		lab_pe_jmps(pe);
	if (!amd64 && flags & LAB_FLAG_CALLS)
		lab_pe_calls(pe);
	if (amd64 && flags & LAB_FLAG_DISASM)
		lab_pe_disasm(pe);
	if (amd64 && flags & LAB_FLAG_PDATA)
		lab_pe_pdata(pe);
	if (pe->plus)
		ib_put_le64(pe->bytes + pe->optional + 24, to->base);
	else
		ib_put_le32(pe->bytes + pe->optional + 28, (uint32_t)to->base);
	return true;
}

/* A directory of signatures holds no RVA, which marks do not expect. */
static uint64_t usual_flags(const struct lab_pe_image *pe)
{
	uint64_t flags = pe->machine == AMD64 ? LAB_FLAGS_AMD64 : LAB_FLAGS_I386;

	return pe->dirs[DIR_SECURITY][0] ? flags & ~(uint64_t)LAB_FLAG_MARK : flags;
}

static bool suits(const struct lab_pe_image *from, const struct lab_pe_image *to)
{
	return from->machine == to->machine && (from->machine == I386 || from->machine == AMD64) &&
	       from->plus == (from->machine == AMD64) && from->plus == to->plus && !from->dirs[DIR_CLI][0] &&
	       !to->dirs[DIR_CLI][0] && !is_bound(from);
}

bool lab_program_transform(const uint8_t *source, size_t source_size, const uint8_t *target, size_t target_size,
			   uint64_t flags, const struct lab_parse *raw, struct lab_program *ret)
{
	g_autofree struct lab_pe_image *from = g_new(struct lab_pe_image, 1), *to = g_new(struct lab_pe_image, 1);
	g_autofree uint8_t *bytes = g_memdup2(source, source_size);
	g_autofree uint8_t *marks = g_malloc0(source_size + 1);

	/* the target is only looked at */
	if (!lab_pe_image_read(from, bytes, source_size) || !lab_pe_image_read(to, (uint8_t *)target, target_size) ||
	    !suits(from, to))
		return false;
	g_autoptr(GArray) moves = find_moves(from, to, raw);
	from->marks = marks;
	from->map = moves;
	from->to_base = to->base;
	ret->flags = flags ? flags : usual_flags(from);
	if (!run(from, to, ret->flags))
		return false;
	ret->type = from->machine == AMD64 ? 8 : 2;
	ret->preprocess = write_preprocess(from, to);
	ret->source = g_steal_pointer(&bytes);
	return true;
}
