#include <criterion/criterion.h>

#include <string.h>

#include "wim/wim.h"

/* Text, and what it is shown as; NULL: the same. */
static const struct {
	const char *text, *shown;
} conditions[] = {
	{ "D:(XA;;FX;;;WD;(@User.Title == \"PM\" && (@User.Division == \"Finance\" || @User.Division == \"Sales\")))", NULL },
	{ "D:(XA; ;FX;;;S-1-1-0; (@User.Title==\"PM\" && (@User.Division==\"Finance\" || @User.Division ==\"Sales\")))",
	  "D:(XA;;FX;;;WD;(@User.Title == \"PM\" && (@User.Division == \"Finance\" || @User.Division == \"Sales\")))" },
	{ "D:(XA;;FX;;;WD;(@User.Project Any_of @Resource.Project))", "D:(XA;;FX;;;WD;(@User.Project Any_of @Resource.Project))" },
	{ "D:(XD;;FX;;;WD;(a||b&&c))", "D:(XD;;FX;;;WD;(a || b && c))" },
	{ "D:(XD;;FX;;;WD;(a&&b||c))", "D:(XD;;FX;;;WD;(a && b || c))" },
	{ "D:(XA;;FX;;;WD;(!(Exists x)))", "D:(XA;;FX;;;WD;(!Exists x))" },
	{ "D:(XA;;FX;;;WD;(!(a||b)&&(c||(d||e))))", "D:(XA;;FX;;;WD;(!(a || b) && (c || (d || e))))" },
	{ "D:(XA;;FX;;;WD;(not_exists @Device.a%0020b))", "D:(XA;;FX;;;WD;(Not_Exists @Device.a%0020b))" },
	{ "D:(XA;;FX;;;WD;(Member_of {SID(BA), SID(S-1-5-21-1-2-3-4)}))",
	  "D:(XA;;FX;;;WD;(Member_of {SID(BA), SID(S-1-5-21-1-2-3-4)}))" },
	{ "D:(XA;;FX;;;WD;(Not_Device_Member_of_Any SID(SY)))", "D:(XA;;FX;;;WD;(Not_Device_Member_of_Any SID(SY)))" },
	{ "D:(XA;;FX;;;WD;(n >= -5 && n < 0x1f && n != +7 && n <= 017 && n > 0))",
	  "D:(XA;;FX;;;WD;(n >= -5 && n < 0x1f && n != +7 && n <= 017 && n > 0))" },
	{ "D:(XA;;FX;;;WD;(x Contains {1, \"two\", #0aff}))", "D:(XA;;FX;;;WD;(x Contains {1, \"two\", #0aff}))" },
	{ "D:(XA;;FX;;;WD;(%0045xists))", "D:(XA;;FX;;;WD;(%0045xists))" },
	{ "D:(ZA;;FX;bf967a86-0de6-11d0-a285-00aa003049e2;;WD;(a))", NULL },
	{ "S:(XU;SA;FX;;;WD;(a))(FL;;FX;;;WD;(a))", NULL },
	{ "S:(SP;;;;;S-1-17-22)", "S:(SP;;;;;S-1-17-22)" },
	{ "S:(RA;;;;;WD;(\"Project\",TS,0x0,\"Windows\",\"SQL\"))", NULL },
	{ "S:(RA;;;;;WD;(\"Secrecy\", TU, 0x0, 3 ))", "S:(RA;;;;;WD;(\"Secrecy\",TU,0x0,3))" },
	{ "S:(RA;CI;;;;WD;(\"n\",TI,0x21,-3,9223372036854775807))(RA;;;;;WD;(\"b\",TB,0x0,1,0))", NULL },
	{ "D:(XA;;FX;;;WD;(@User.9 == #a##1 && @Resource.[x;é}))", "D:(XA;;FX;;;WD;(@User.%0039 == #a001 && @Resource.%005bx%003b%00e9%007d))" },
	{ "S:(RA;;;;;WD;(\"a%0022%00e9 b\",TX,0x0,#12,abc,f##))", "S:(RA;;;;;WD;(\"a%0022%00e9%0020b\",TX,0x0,0012,0abc,0f00))" },
	{ "S:(RA;;;;;WD;(\"sids\",TD,0x0,BA,S-1-5-21-1-2-3-4))(RA;;;;;WD;(\"x\",TX,0x0,00,00ff))(RA;;;;;WD;(\"none\",TI,0x0))", NULL },
};

Test(wim_sddl, conditions_and_attributes_round_trip)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(conditions); i++) {
		g_autoptr(GBytes) sd = NULL, again = NULL;
		g_autofree char *text = NULL;
		ib_auto_error err = NULL;
		cr_assert(ib_sddl_parse(conditions[i].text, &sd, &err), "%s", err ? ib_error_cause(err) : "");
		cr_assert(ib_sddl_format(sd, &text, &err), "%s: %s", conditions[i].text, err ? ib_error_cause(err) : "");
		cr_assert_str_eq(text, conditions[i].shown ? conditions[i].shown : conditions[i].text, "%s", text);
		cr_assert(ib_sddl_parse(text, &again, &err));
		cr_assert(g_bytes_equal(sd, again), "%s", text);
	}
}

/* The examples of MS-DTYP 2.4.4.17.9; Windows makes the same bytes of them (tests/interop/real-sddl.sh). */
Test(wim_sddl, known_bytes)
{
	static const struct {
		const char *text, *hex;
	} known[] = {
		{ "D:(XA; ;FX;;;S-1-1-0; (@User.Title==\"PM\" && (@User.Division==\"Finance\" || @User.Division ==\"Sales\")))",
		  "61727478f90a0000005400690074006c00650010040000005000"
		  "4d0080f9100000004400690076006900730069006f006e00100e0000"
		  "00460069006e0061006e0063006500"
		  "80f9100000004400690076006900730069006f006e00100a000000"
		  "530061006c0065007300"
		  "80a1a0" },
		{ "D:(XA; ;FX;;;S-1-1-0; (@User.Project Any_of @Resource.Project))",
		  "61727478f90e000000500072006f006a00650063007400fa0e000000500072006f006a0065006300740088" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
		g_autoptr(GBytes) sd = NULL, want = ib_unhex(known[i].hex, strlen(known[i].hex));
		ib_auto_error err = NULL;
		gsize size, want_size;
		cr_assert(ib_sddl_parse(known[i].text, &sd, &err), "%s", err ? ib_error_cause(err) : "");
		const uint8_t *data = g_bytes_get_data(sd, &size), *bytes = g_bytes_get_data(want, &want_size);
		const uint8_t *ace = data + ib_le32(data + 16) + 8;
		cr_assert_eq(ace[0], 9);
		cr_assert_eq(ib_le16(ace + 2) % 4, 0);
		cr_assert(ib_le16(ace + 2) - 20u - want_size < 4u);
		cr_assert_arr_eq(ace + 20, bytes, want_size);
	}
}

Test(wim_sddl, refusals)
{
	static const char *const texts[] = {
		"D:(XA;;FX;;;WD)", "D:(XA;;FX;;;WD;)", "D:(XA;;FX;;;WD;())", "D:(XA;;FX;;;WD;(a)", "D:(XA;;FX;;;WD;(a b))",
		"D:(XA;;FX;;;WD;(a ==))", "D:(XA;;FX;;;WD;(a == b))", "D:(XA;;FX;;;WD;(Member_of 1))", "D:(XA;;FX;;;WD;(a == {1))",
		"D:(XA;;FX;;;WD;(a == \"x))", "D:(XA;;FX;;;WD;(a == #1))", "D:(XA;;FX;;;WD;(a == 9223372036854775808))",
		"D:(XA;;FX;;;WD;(a%00))", "D:(A;;FX;;;WD;(a))", "S:(RA;;;;;WD;(\"a\",TQ,0x0,1))", "S:(RA;;;;;WD;(a,TI,0x0,1))",
		"S:(RA;;;;;WD;(\"a\",TB,0x0,2))", "S:(RA;;;;;WD;(\"a\",TX,0x0,))", "S:(RA;;;;;WD;(\"a%0000\",TI,0x0,1))",
		"S:(RA;;;;;WD;(\"a%00\",TI,0x0,1))", "S:(RA;;;;;WD;(\"a\",TI,0x0,1)",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GBytes) sd = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(ib_sddl_parse(texts[i], &sd, &err), "%s", texts[i]);
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	}
	g_autoptr(GString) deep = g_string_new("D:(XA;;FX;;;WD;");
	for (unsigned i = 0; i < 100000; i++)
		g_string_append_c(deep, '(');
	g_autoptr(GBytes) sd = NULL;
	ib_auto_error err = NULL;
	cr_assert_not(ib_sddl_parse(deep->str, &sd, &err));
}

Test(wim_sddl, service_sids)
{
	g_autofree char *installer = ib_sddl_service_sid("TrustedInstaller"), *lower = ib_sddl_service_sid("trustedinstaller");

	cr_assert_str_eq(installer, "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464");
	cr_assert_str_eq(lower, installer);
}

static void expect_inherited(const char *parent, bool dir, const char *want)
{
	g_autoptr(GBytes) sd = NULL, child = NULL;
	g_autofree char *text = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_sddl_parse(parent, &sd, &err));
	cr_assert(ib_security_inherit(sd, dir, &child, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(ib_sddl_format(child, &text, &err));
	cr_assert_str_eq(text, want, "%s", text);
}

Test(wim_sddl, inheritance)
{
	const char *system32 = "O:BAG:SYD:PAI(A;OICIIO;GA;;;CO)(A;CIIO;GA;;;SY)(A;OICI;FA;;;BA)(A;OINP;FR;;;BU)(D;;FW;;;WD)";

	expect_inherited(system32, false, "O:BAG:SYD:AI(A;ID;FA;;;BA)(A;ID;FA;;;BA)(A;ID;FR;;;BU)");
	expect_inherited(system32, true,
			 "O:BAG:SYD:AI(A;ID;FA;;;BA)(A;OICIIOID;GA;;;CO)(A;ID;FA;;;SY)(A;CIIOID;GA;;;SY)(A;OICIID;FA;;;BA)");
	expect_inherited("O:BAD:(A;OI;FR;;;WD)", true, "O:BAD:AI(A;OIIOID;FR;;;WD)");
	expect_inherited("O:BAD:(A;;FR;;;WD)", false, "O:BAD:(A;;FR;;;WD)");
}
