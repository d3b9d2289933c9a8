#include "cab.h"

#include <libgcab.h>

#include "digest/digest.h"

#include <string.h>

struct lab_cab {
	bool compress;
	GDateTime *when;
	GPtrArray *folders; /* GCabFolder */
	uint64_t in_folder; /* bytes in the last one */
};

struct lab_cab *lab_cab_new(bool compress, int64_t when)
{
	struct lab_cab *cab = g_new0(struct lab_cab, 1);

	cab->compress = compress;
	cab->when = g_date_time_new_from_unix_utc(when);
	cab->folders = g_ptr_array_new_with_free_func(g_object_unref);
	return cab;
}

void lab_cab_free(struct lab_cab *cab)
{
	if (!cab)
		return;
	g_date_time_unref(cab->when);
	g_ptr_array_unref(cab->folders);
	g_free(cab);
}

void lab_cab_clear(struct lab_cab **cab)
{
	lab_cab_free(*cab);
	*cab = NULL;
}

static GCabFolder *folder_for(struct lab_cab *cab, uint64_t bytes)
{
	if (cab->folders->len == 0 || cab->in_folder + bytes > LAB_CAB_FOLDER_MAX) {
		g_ptr_array_add(cab->folders, gcab_folder_new(cab->compress ? GCAB_COMPRESSION_MSZIP
									    : GCAB_COMPRESSION_NONE));
		cab->in_folder = 0;
	}
	cab->in_folder += bytes;
	return g_ptr_array_index(cab->folders, cab->folders->len - 1);
}

void lab_cab_add(struct lab_cab *cab, const char *name, GBytes *bytes)
{
	g_autoptr(GCabFile) file = gcab_file_new_with_bytes(name, bytes);

	gcab_file_set_date_time(file, cab->when);
	gcab_file_set_attributes(file, GCAB_FILE_ATTRIBUTE_ARCH);
	/* only fails for recursive adding, which is not asked for */
	(void)gcab_folder_add_file(folder_for(cab, g_bytes_get_size(bytes)), file, FALSE, NULL, NULL);
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

bool lab_cab_build(const struct lab_cab *cab, size_t trailing, GBytes **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);

	if (cab->folders->len == 0)
		return ib_throw(err, IB_ERR_USAGE, "a cabinet without members cannot be written");
	for (guint i = 0; i < cab->folders->len; i++) {
		GByteArray *part = write_folder(g_ptr_array_index(cab->folders, i), err);

		if (!part)
			return false;
		g_ptr_array_add(parts, part);
	}
	GByteArray *out = join(parts);
	append_trailing(out, trailing);
	*ret = g_byte_array_free_to_bytes(out);
	return true;
}
