/**
 * report: papers for the customer, from data other modules produced.
 *
 * The risk disclosure and the delivery note are XML turned into HTML by the
 * style sheets in manifests/report, in Chinese and in English, from the same
 * data: no language says more than the other. Clauses and terms are data
 * (manifests/report/clauses.xml, glossary.xml). What the data does not prove is
 * printed as "not provided", never left out and never assumed.
 *
 * What differs between two images is a page of the same look (ib_report_diff).
 *
 * Same data, same bytes.
 */
#ifndef IB_REPORT_REPORT_H
#define IB_REPORT_REPORT_H

#include "base/base.h"

/** A pair of texts for a table. */
struct ib_report_item {
	const char *name;   /**< what */
	const char *detail; /**< or NULL */
	const char *reason; /**< or NULL */
};

/** All a paper says. Strings are borrowed for the call; NULL means "not provided". Lists hold struct ib_report_item *. */
struct ib_report {
	size_t size;            /**< sizeof this struct */
	const char *image_name, *customer, *release, *version, *product, *edition, *windows_version, *stream;
	const char *date;       /**< YYYY-MM-DD of the profile */
	const char *request_case, *asked_for, *requested, *promised, *scenario;
	const char *base_name, *base_sha256, *iso_name, *iso_sha256;
	uint64_t base_bytes, iso_bytes;
	GPtrArray *updates;     /**< name = KB or package id, detail = version and signer */
	GPtrArray *skipped;     /**< packages found but not installed, with the reason */
	GPtrArray *removed;     /**< components, detail = counts, reason = from the profile */
	GPtrArray *features;    /**< detail = "on"/"off", reason */
	GPtrArray *changes;     /**< what else the profile changed: name, detail = "app", "registry", "files" or "unattend", reason */
	const char *update_server; /**< NULL: empty, a reported risk */
	GPtrArray *notes;       /**< what could not be done offline: name = component, detail = sentence */
	GPtrArray *risks_en, *risks_zh;       /**< of the removed components, from their manifests: name = component, detail */
	GPtrArray *unknown_en, *unknown_zh;   /**< what is not known, likewise */
	GPtrArray *tests;       /**< what was tested, by whom, result; empty: "not tested" is printed */
	GPtrArray *after_upgrade; /**< commands of the step after an in-place upgrade: name = command line */
	GPtrArray *superseded;  /**< images this one supersedes in the upgrade metadata */
	GPtrArray *upgrade_from;/**< product releases */
	unsigned offers_two, loops, clients, scans; /**< the simulator's result */
	const char *legal_name, *hotline, *support_scope;
	const char *devices, *branches, *days, *line_mbit, *patch_days, *clock; /**< rollout, as given */
	const char *publish_url;
	bool verified;          /**< the store verifier found nothing on the written image */
	const char *verify_summary;
	GPtrArray *approvals;   /**< role = name, detail = "required" */
};

/** An image that is compared; NULL texts are "not provided". */
struct ib_report_image {
	const char *file, *index, *name, *edition, *version;
};

/** One difference between two images. */
struct ib_report_difference {
	const char *kind;  /**< one of the kinds of struct ib_report_diff */
	const char *name;  /**< what differs */
	const char *field; /**< what of it, or NULL: the thing itself */
	const char *a, *b; /**< what each image has; NULL: nothing */
};

/** What a page of differences says. Everything is borrowed for the call. */
struct ib_report_diff {
	size_t size;                  /**< sizeof this struct */
	struct ib_report_image a, b;
	const char *const *kinds;     /**< in the order they are shown, NULL-ended; the glossary has a term "kind-<kind>" of each */
	const GPtrArray *differences; /**< struct ib_report_difference *; those of one name stand together */
};

/**
 * Write papers/risk-disclosure.<lang>.html, delivery-note.<lang>.html and acceptance.<lang>.html.
 * @param data_dir   manifests/report: style sheets, clauses, glossary
 * @param languages  "zh-CN", "en"; NULL-ended
 * @param ret_files  char *: names written, sorted; g_ptr_array_unref
 * Throws IB_ERR_INPUT (bad clause file), IB_ERR_SYSTEM.
 */
bool ib_report_write(const struct ib_report *report, const char *data_dir, char *const *languages,
		     const char *out_dir, GPtrArray **ret_files, struct ib_error **err) IB_MUST_CHECK;

/**
 * What differs between two images, as one HTML page: the papers' look, nothing from outside, no script.
 *
 * Kinds without differences are shown as such. Invisible characters of names and values are made visible.
 * @param data_dir  manifests/report: diff.xsl, common.xsl, glossary
 * @param language  "zh-CN" or "en"
 * @param ret       the page, UTF-8; owned by the caller (g_bytes_unref)
 * Throws IB_ERR_INPUT: a bad glossary or style sheet, a language it lacks.
 */
bool ib_report_diff(const struct ib_report_diff *diff, const char *data_dir, const char *language, GBytes **ret,
		    struct ib_error **err) IB_MUST_CHECK;

#endif
