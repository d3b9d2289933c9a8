#include "cab.h"

#include <libgcab.h>

#include "cabinet.h"
#include "digest/digest.h"

#include <string.h>

struct lab_cab {
	enum lab_cab_method method;
	int64_t when;
	GPtrArray *members; /* struct lab_cab_member */
};

static void free_member(void *member)
{
	struct lab_cab_member *m = member;

	g_free(m->name);
	g_bytes_unref(m->bytes);
	g_free(m);
}

struct lab_cab *lab_cab_new(enum lab_cab_method method, int64_t when)
{
	struct lab_cab *cab = g_new0(struct lab_cab, 1);

	cab->method = method;
	cab->when = when;
	cab->members = g_ptr_array_new_with_free_func(free_member);
	return cab;
}

void lab_cab_free(struct lab_cab *cab)
{
	if (!cab)
		return;
	g_ptr_array_unref(cab->members);
	g_free(cab);
}

void lab_cab_clear(struct lab_cab **cab)
{
	lab_cab_free(*cab);
	*cab = NULL;
}

void lab_cab_add(struct lab_cab *cab, const char *name, GBytes *bytes)
{
	struct lab_cab_member *m = g_new0(struct lab_cab_member, 1);

	m->name = g_strdup(name);
	m->bytes = g_bytes_ref(bytes);
	g_ptr_array_add(cab->members, m);
}

void lab_cab_add_text(struct lab_cab *cab, const char *name, const char *text)
{
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

	lab_cab_add(cab, name, bytes);
}

/* What stands behind a cabinet is nobody's business: bytes that follow from those before. */
static void append_trailing(GByteArray *out, size_t trailing)
{
	uint8_t digest[IB_SHA256_SIZE];

	for (size_t done = 0; done < trailing; done += sizeof(digest)) {
		ib_digest_bytes(IB_DIGEST_SHA256, out->data + out->len - MIN(out->len, 64), MIN(out->len, 64), digest);
		g_byte_array_append(out, digest, (guint)MIN(sizeof(digest), trailing - done));
	}
}

/* ---- by libgcab ---- */

/* @return GCabFolder; owned by the caller */
static GPtrArray *make_folders(const struct lab_cab *cab)
{
	GPtrArray *folders = g_ptr_array_new_with_free_func(g_object_unref);
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(cab->when);
	uint64_t in_folder = 0;

	for (guint i = 0; i < cab->members->len; i++) {
		const struct lab_cab_member *m = cab->members->pdata[i];
		g_autoptr(GCabFile) file = gcab_file_new_with_bytes(m->name, m->bytes);
		uint64_t bytes = g_bytes_get_size(m->bytes);

		if (i == 0 || in_folder + bytes > LAB_CAB_FOLDER_MAX) {
			g_ptr_array_add(folders, gcab_folder_new(cab->method == LAB_CAB_MSZIP ? GCAB_COMPRESSION_MSZIP
											: GCAB_COMPRESSION_NONE));
			in_folder = 0;
		}
		in_folder += bytes;
		gcab_file_set_date_time(file, when);
		gcab_file_set_attributes(file, GCAB_FILE_ATTRIBUTE_ARCH);
		/* only fails for recursive adding, which is not asked for */
		(void)gcab_folder_add_file(folders->pdata[folders->len - 1], file, FALSE, NULL, NULL);
	}
	return folders;
}

/* One folder as a cabinet of its own: libgcab writes no more than one. */
static GByteArray *write_folder(GCabFolder *folder, struct ib_error **err)
{
	g_autoptr(GCabCabinet) cabinet = gcab_cabinet_new();
	g_autoptr(GOutputStream) memory = g_memory_output_stream_new_resizable();
	g_autoptr(GError) error = NULL;

	if (!gcab_cabinet_add_folder(cabinet, folder, &error) ||
	    !gcab_cabinet_write_simple(cabinet, memory, NULL, NULL, NULL, &error) ||
	    !g_output_stream_close(memory, NULL, &error)) {
		ib_throw(err, IB_ERR_FAILED, "cannot write a cabinet: %s", error->message);
		return NULL;
	}
	return g_bytes_unref_to_array(g_memory_output_stream_steal_as_bytes(G_MEMORY_OUTPUT_STREAM(memory)));
}

/* Offsets in a cabinet without reserved areas ([MS-CAB] 2.1 .. 2.3) */
enum {
	HEADER_SIZE = 36, HEADER_CABINET_SIZE = 8, HEADER_FILES = 16, HEADER_FOLDER_COUNT = 26, HEADER_FILE_COUNT = 28,
	FOLDER_SIZE = 8, FOLDER_DATA = 0,
	FILE_FOLDER = 8, FILE_NAME = 16,
};

struct part {
	const GByteArray *cab;
	uint32_t files, data; /* where they begin */
	uint16_t count;       /* of files */
};

static struct part part_of(const GByteArray *cab)
{
	return (struct part){
		.cab = cab,
		.files = ib_le32(cab->data + HEADER_FILES),
		.data = ib_le32(cab->data + HEADER_SIZE + FOLDER_DATA),
		.count = ib_le16(cab->data + HEADER_FILE_COUNT),
	};
}

static void put_files(GByteArray *out, const struct part *part, unsigned folder)
{
	uint32_t at = part->files;

	for (unsigned i = 0; i < part->count; i++) {
		size_t size = FILE_NAME + strlen((const char *)part->cab->data + at + FILE_NAME) + 1;
		guint from = out->len;

		g_byte_array_append(out, part->cab->data + at, (guint)size);
		ib_put_le16(out->data + from + FILE_FOLDER, (uint16_t)folder);
		at += (uint32_t)size;
	}
}

/* Put cabinets of one folder each together: all folders, all files, all data. */
static GByteArray *join(GPtrArray *cabs)
{
	GByteArray *out = g_byte_array_append(g_byte_array_new(), ((GByteArray *)cabs->pdata[0])->data, HEADER_SIZE);
	unsigned files = 0;

	for (guint i = 0; i < cabs->len; i++)
		g_byte_array_append(out, ((GByteArray *)cabs->pdata[i])->data + HEADER_SIZE, FOLDER_SIZE);
	ib_put_le32(out->data + HEADER_FILES, out->len);
	for (guint i = 0; i < cabs->len; i++) {
		struct part part = part_of(cabs->pdata[i]);

		put_files(out, &part, i);
		files += part.count;
	}
	for (guint i = 0; i < cabs->len; i++) {
		struct part part = part_of(cabs->pdata[i]);

		ib_put_le32(out->data + HEADER_SIZE + FOLDER_SIZE * i + FOLDER_DATA, out->len);
		g_byte_array_append(out, part.cab->data + part.data, part.cab->len - part.data);
	}
	ib_put_le16(out->data + HEADER_FOLDER_COUNT, (uint16_t)cabs->len);
	ib_put_le16(out->data + HEADER_FILE_COUNT, (uint16_t)files);
	ib_put_le32(out->data + HEADER_CABINET_SIZE, out->len);
	return out;
}

static GByteArray *build_by_gcab(const struct lab_cab *cab, struct ib_error **err)
{
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	g_autoptr(GPtrArray) folders = make_folders(cab);

	if (cab->members->len > UINT16_MAX) { /* libgcab would wrap */
		ib_throw(err, IB_ERR_USAGE, "a cabinet cannot hold %u members", cab->members->len);
		return NULL;
	}
	for (guint i = 0; i < folders->len; i++) {
		GByteArray *part = write_folder(g_ptr_array_index(folders, i), err);

		if (!part)
			return NULL;
		g_ptr_array_add(parts, part);
	}
	return join(parts);
}

bool lab_cab_build(const struct lab_cab *cab, size_t trailing, GBytes **ret, struct ib_error **err)
{
	if (cab->members->len == 0)
		return ib_throw(err, IB_ERR_USAGE, "a cabinet without members cannot be written");
	GByteArray *out = cab->method == LAB_CAB_LZX ?
		lab_cabinet_lzx(cab->members, LAB_CAB_LZX_FOLDER_MAX, cab->when, err) : build_by_gcab(cab, err);
	if (!out)
		return false;
	append_trailing(out, trailing);
	*ret = g_byte_array_free_to_bytes(out);
	return true;
}
