/*
 * Drive lib/metadata from a shell:
 *   tool_metadata_generate OUT CATALOG XSD PRODUCTS key=value…
 * Keys: customer name description stream product version build ubr arch edition from (comma list) reimage url file
 * bytes date. Prints what was generated. The exit status is the error's code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"
#include "metadata/metadata.h"

static const char *value(char **args, const char *key, const char *fallback)
{
	for (size_t n = strlen(key); *args; args++)
		if (strncmp(*args, key, n) == 0 && (*args)[n] == '=')
			return *args + n + 1;
	return fallback;
}

static void print_all(const char *what, const GPtrArray *list)
{
	for (guint i = 0; i < list->len; i++)
		printf("%s %s\n", what, (const char *)g_ptr_array_index(list, i));
}

static void print_result(const struct ib_metadata_result *r)
{
	printf("parent %s\nchild %s\nrevision %u\n", r->parent_id, r->child_id, r->revision);
	printf("clients %u\nscans %u\noffers_two %u\nloops %u\n", r->clients, r->scans, r->offers_two, r->loops);
	print_all("supersedes", r->superseded);
	print_all("file", r->files);
	print_all("warning", r->warnings);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	char **args = argv + 5;
	char *dirs[] = { argv[4], NULL };
	g_auto(GStrv) from = g_strsplit(value(args, "from", "V0-H"), ",", 0);
	struct ib_metadata_image image = {
		.size = sizeof image,
		.vendor = value(args, "vendor", "CMGE"),
		.customer = value(args, "customer", NULL),
		.name = value(args, "name", "image"),
		.description = value(args, "description", NULL),
		.stream = value(args, "stream", "std-l"),
		.edition = value(args, "edition", "EnterpriseG"),
		.product = value(args, "product", "V2020-L"),
		.version = value(args, "version", "2020.1.1903.21"),
		.build = (unsigned)atoi(value(args, "build", "17763")),
		.ubr = (unsigned)atoi(value(args, "ubr", "1")),
		.arch = value(args, "arch", "amd64"),
		.upgrade_from = (const char *const *)from,
		.product_dirs = dirs,
		.reimage = strcmp(value(args, "reimage", "no"), "yes") == 0,
		.content_url = value(args, "url", NULL),
		.file_name = value(args, "file", "image.iso"),
		.file_bytes = g_ascii_strtoull(value(args, "bytes", "4700000000"), NULL, 10),
		.date = g_ascii_strtoll(value(args, "date", "1632700800"), NULL, 10),
	};
	/* digests of the name: different for different images, the same in each run */
	ib_digest_bytes(IB_DIGEST_SHA1, image.version, strlen(image.version), image.sha1);
	ib_digest_bytes(IB_DIGEST_SHA256, image.version, strlen(image.version), image.sha256);
	struct ib_metadata_result r;
	ib_auto_error err = NULL;
	if (!ib_dir_make(argv[1], &err) || !ib_metadata_generate(&image, argv[2], argv[1], argv[3], &r, &err)) {
		g_autofree char *text = ib_error_format(err, "metadata_generate");
		fputs(text, stderr);
		return (int)ib_error_code(err);
	}
	print_result(&r);
	ib_metadata_result_clear(&r);
	return 0;
}
