/* report, private: the texts of the papers and the neutral document they are made from. */
#ifndef IB_REPORT_INTERNAL_H
#define IB_REPORT_INTERNAL_H

#include "report/report.h"
#include "xml/xml.h"

/** One clause or term: its text in each language. */
struct report_text {
	const char *id;      /**< borrowed from the document */
	GPtrArray *languages; /**< const char *, borrowed */
	GPtrArray *texts;    /**< char *, owned */
};

/** The content of clauses.xml or glossary.xml, in the file's order. */
struct report_texts {
	struct ib_xml *doc;
	GPtrArray *list; /**< struct report_text * */
};

/* texts.c */
/**
 * Read <element id><text lang>…</text></element> lists. Every entry must have a text in each of the
 * languages, no other, and the same {placeholders} in all of them.
 */
bool report_texts_load(const char *path, const char *element, char *const *languages, struct report_texts **ret,
		       struct ib_error **err);
void report_texts_free(struct report_texts *t);
/** Text of an id in a language; borrowed, NULL when there is none. */
const char *report_texts_get(const struct report_texts *t, const char *id, const char *language);
/**
 * Replace each {name} by facts[name], or by `missing` when there is none. Values are not looked into again.
 * Throws IB_ERR_INPUT for a name that is not in `known`.
 */
bool report_fill(const char *text, GHashTable *facts, GHashTable *known, const char *missing, char **ret,
		 struct ib_error **err);

/* facts.c */
/** Text that cannot harm a paper: valid UTF-8, one line, invisible characters made visible. g_free. */
char *report_clean(const char *text);
/** The facts of a paper: id to clean text; facts not provided are missing. `known` gets every id there is. */
GHashTable *report_facts(const struct ib_report *r, GHashTable **ret_known);

/* document.c */
/** The neutral document: facts, lists, and clauses and terms of all languages. Owned by the caller (ib_xml_free). */
bool report_document(const struct ib_report *r, const struct report_texts *clauses, const struct report_texts *terms,
		     char *const *languages, struct ib_xml **ret, struct ib_error **err);

#endif
