/*
 * What lib/package sees in a package, as lines of text:
 *   tool_package_info [-p] [-t THREADS] [-d DICTIONARY] [-a ANCHORS.pem] PACKAGE
 * -p reads and checks the payload, -d names the dictionary of compressed manifests, -a verifies the catalogs. All packages
 * of a container are shown. The exit status is the error's code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "package/package.h"

/* Lab signatures without a time stamp are judged at this time: 2026-01-01. */
#define JUDGED_AT INT64_C(1767225600)

static void print_list(const char *what, const GPtrArray *list)
{
	for (guint i = 0; i < list->len; i++)
		printf("%s %s\n", what, (const char *)g_ptr_array_index(list, i));
}

static void print_identities(const char *what, const GPtrArray *list)
{
	for (guint i = 0; i < list->len; i++) {
		g_autofree char *text = ib_package_id(g_ptr_array_index(list, i));
		printf("%s %s\n", what, text);
	}
}

static void print_mum(const struct ib_mum *m)
{
	printf("mum %s%s\n", m->package_id, m->catalog ? "" : " (no catalog)");
	for (guint i = 0; i < m->parents->len; i++) {
		const struct ib_parent *p = g_ptr_array_index(m->parents, i);
		print_identities("  parent", p->identities);
	}
	if (m->capability)
		printf("  capability %s %s\n", m->capability, m->capability_version ? m->capability_version : "");
	for (guint i = 0; i < m->updates->len; i++) {
		const struct ib_update *u = g_ptr_array_index(m->updates, i);
		printf("  update %s%s%s\n", u->name, u->selectable ? " selectable" : "", u->default_on ? " on" : "");
		if (u->detect_update)
			printf("    follows %s %s\n", u->detect_parent ? u->detect_parent : "-", u->detect_update);
		print_identities("    component", u->components);
		print_identities("    package", u->packages);
		print_list("    other", u->other);
	}
	print_list("  other", m->other);
}

static void print_manifest(const struct ib_manifest *m)
{
	printf("manifest %s%s\n", m->keyform, m->is_deployment ? " deployment" : "");
	printf("  dependencies %u files %u directories %u keys %u services %u svchost %u firewall %u tasks %u\n",
	       m->dependencies->len, m->files->len, m->directories->len, m->registry->len, m->services->len,
	       m->svchost->len, m->firewall->len, m->tasks->len);
	print_list("  other", m->other);
}

static void print_package(const struct ib_package *p)
{
	static const char *const kinds[] = { "cab", "msu", "msu-wim", "folder" };
	const GPtrArray *mums = ib_package_mums(p), *manifests = ib_package_manifests(p);

	printf("container %s\nroot %s\nmembers %u\npayload %" PRIu64 "\n", kinds[ib_package_container(p)],
	       ib_package_root(p)->package_id, ib_package_members(p)->len, ib_package_payload_bytes(p));
	for (guint i = 0; i < mums->len; i++)
		print_mum(g_ptr_array_index(mums, i));
	for (guint i = 0; i < manifests->len; i++)
		print_manifest(g_ptr_array_index(manifests, i));
	print_list("unread", ib_package_unread(p));
}

static bool read_payload(const struct ib_payload *p, void *data, struct ib_error **err)
{
	char buf[65536];
	size_t n;
	uint64_t total = 0;

	do {
		if (!p->stream)
			break;
		if (!ib_stream_read(p->stream, buf, sizeof buf, &n, err))
			return false;
		total += n;
	} while (n > 0);
	printf("%s %s\\%s %" PRIu64 "\n", p->stream ? "file" : "missing", p->manifest->keyform, p->file->name, total);
	if (p->reason)
		printf("  reason %s\n", p->reason);
	return true;
}

static bool verify(struct ib_package *p, const char *path, struct ib_error **err)
{
	ib_auto_anchors anchors = ib_anchors_new(JUDGED_AT);
	struct ib_package_trust trust;

	if (!ib_anchors_add_file(anchors, path, err) || !ib_package_verify(p, anchors, &trust, err))
		return false;
	printf("signer %s\ncatalogs %u\nmembers-verified %u\nunchecked %u\n", trust.signer, trust.catalogs,
	       trust.members, trust.unchecked);
	ib_package_trust_clear(&trust);
	return true;
}

static bool show(struct ib_package *p, const char *anchors, const struct ib_payload_options *payload,
		 struct ib_error **err)
{
	print_package(p);
	return (!anchors || verify(p, anchors, err)) &&
	       (!payload || ib_package_each_payload(p, payload, read_payload, NULL, NULL, err));
}

static bool show_all(const char *path, const struct ib_package_options *options, const char *anchors,
		     const struct ib_payload_options *payload, struct ib_error **err)
{
	GPtrArray *all;
	bool ok = true;

	if (!ib_package_open_all(path, options, &all, err))
		return false;
	for (guint i = 0; ok && i < all->len; i++)
		ok = show(all->pdata[i], anchors, payload, err);
	g_ptr_array_unref(all);
	return ok;
}

int main(int argc, char **argv)
{
	struct ib_package_options options = { .size = sizeof(options), .spool_dir = g_get_tmp_dir() };
	struct ib_payload_options how = { .size = sizeof(how) };
	g_autoptr(GBytes) dictionary = NULL;
	ib_auto_error err = NULL;
	const char *anchors = NULL;
	bool payload = false, ok = true;
	int c;

	while (ok && (c = getopt(argc, argv, "pa:d:t:")) != -1) {
		payload |= c == 'p';
		anchors = c == 'a' ? optarg : anchors;
		how.threads = c == 't' ? (unsigned)atoi(optarg) : how.threads;
		if (c == 'd')
			ok = ib_file_read(optarg, 1 << 20, &dictionary, &err);
		if (c == '?')
			return IB_ERR_USAGE;
	}
	if (ok && optind + 1 != argc)
		return IB_ERR_USAGE;
	options.dictionary = dictionary;
	ok = ok && show_all(argv[optind], &options, anchors, payload ? &how : NULL, &err);
	if (ok)
		return 0;
	g_autofree char *text = ib_error_format(err, "package_info");
	fputs(text, stderr);
	return ib_error_code(err);
}
