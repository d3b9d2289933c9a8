<?xml version="1.0" encoding="UTF-8"?>
<!--
  What all papers share: page, title block, headings, tables.

  Input: <report> with <facts>, <list>s and, per language, <clauses> and <terms>. $lang chooses the language.
  Only elements that every HTML reader knows are used; no script, no link, nothing from outside.
-->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="html" encoding="UTF-8" indent="no" doctype-system="about:legacy-compat"/>
  <xsl:param name="lang"/>
  <xsl:key name="fact" match="facts/fact" use="@id"/>
  <xsl:key name="list" match="list" use="concat(@id, '|', @lang)"/>
  <xsl:key name="clause" match="clauses/t" use="concat(../@lang, '|', @id)"/>
  <xsl:key name="term" match="terms/t" use="concat(../@lang, '|', @id)"/>

  <!-- ==== words ==== -->
  <xsl:template name="term">
    <xsl:param name="id"/>
    <xsl:variable name="t" select="key('term', concat($lang, '|', $id))"/>
    <xsl:if test="not($t)"><xsl:message terminate="yes">no term '<xsl:value-of select="$id"/>'</xsl:message></xsl:if>
    <xsl:value-of select="$t"/>
  </xsl:template>

  <!-- A word of the data with its meaning, when the glossary has one. -->
  <xsl:template name="word">
    <xsl:param name="kind"/>
    <xsl:param name="word"/>
    <xsl:variable name="t" select="key('term', concat($lang, '|', $kind, '-', $word))"/>
    <xsl:choose>
      <xsl:when test="$t">
        <xsl:value-of select="$t"/>
        <xsl:call-template name="term"><xsl:with-param name="id">open</xsl:with-param></xsl:call-template>
        <span class="v"><xsl:value-of select="$word"/></span>
        <xsl:call-template name="term"><xsl:with-param name="id">close</xsl:with-param></xsl:call-template>
      </xsl:when>
      <xsl:otherwise><span class="v"><xsl:value-of select="$word"/></span></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="clause-text">
    <xsl:param name="id"/>
    <xsl:variable name="t" select="key('clause', concat($lang, '|', $id))"/>
    <xsl:if test="not($t)"><xsl:message terminate="yes">no clause '<xsl:value-of select="$id"/>'</xsl:message></xsl:if>
    <span class="v" data-clause="{$id}"><xsl:value-of select="$t"/></span>
  </xsl:template>

  <xsl:template name="p">
    <xsl:param name="id"/>
    <xsl:param name="class"/>
    <p>
      <xsl:if test="$class"><xsl:attribute name="class"><xsl:value-of select="$class"/></xsl:attribute></xsl:if>
      <xsl:if test="$class = 'alert'">
        <strong>
          <xsl:call-template name="term"><xsl:with-param name="id">risk-word</xsl:with-param></xsl:call-template>
          <xsl:call-template name="term"><xsl:with-param name="id">colon</xsl:with-param></xsl:call-template>
        </strong>
      </xsl:if>
      <xsl:call-template name="clause-text"><xsl:with-param name="id" select="$id"/></xsl:call-template>
    </p>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="li">
    <xsl:param name="id"/>
    <li><xsl:call-template name="clause-text"><xsl:with-param name="id" select="$id"/></xsl:call-template></li>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <!-- ==== values ==== -->
  <xsl:template name="value">
    <xsl:param name="node"/>
    <xsl:param name="class">v</xsl:param>
    <xsl:choose>
      <xsl:when test="$node"><span class="{$class}"><xsl:value-of select="$node"/></span></xsl:when>
      <xsl:otherwise>
        <span class="missing"><xsl:call-template name="term"><xsl:with-param name="id">not-provided</xsl:with-param></xsl:call-template></span>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- A line of a two-column table: label and fact. -->
  <xsl:template name="row">
    <xsl:param name="id"/>
    <xsl:param name="class">v</xsl:param>
    <tr>
      <th scope="row"><xsl:call-template name="term"><xsl:with-param name="id" select="$id"/></xsl:call-template></th>
      <td data-fact="{$id}">
        <xsl:call-template name="value">
          <xsl:with-param name="node" select="key('fact', $id)"/>
          <xsl:with-param name="class" select="$class"/>
        </xsl:call-template>
      </td>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="th">
    <xsl:param name="id"/>
    <xsl:param name="class"/>
    <th scope="col">
      <xsl:if test="$class"><xsl:attribute name="class"><xsl:value-of select="$class"/></xsl:attribute></xsl:if>
      <xsl:call-template name="term"><xsl:with-param name="id" select="$id"/></xsl:call-template>
    </th>
  </xsl:template>

  <xsl:template name="td">
    <xsl:param name="node"/>
    <xsl:param name="class">v</xsl:param>
    <td>
      <xsl:call-template name="value">
        <xsl:with-param name="node" select="$node"/>
        <xsl:with-param name="class" select="$class"/>
      </xsl:call-template>
    </td>
  </xsl:template>

  <!-- Words of a list in one line. -->
  <xsl:template name="words">
    <xsl:param name="list"/>
    <xsl:choose>
      <xsl:when test="key('list', concat($list, '|'))/item">
        <xsl:for-each select="key('list', concat($list, '|'))/item">
          <xsl:if test="position() &gt; 1"><xsl:call-template name="term"><xsl:with-param name="id">comma</xsl:with-param></xsl:call-template></xsl:if>
          <xsl:call-template name="word">
            <xsl:with-param name="kind" select="$list"/>
            <xsl:with-param name="word" select="name"/>
          </xsl:call-template>
        </xsl:for-each>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="value"><xsl:with-param name="node" select="/.."/></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="words-row">
    <xsl:param name="list"/>
    <tr>
      <th scope="row"><xsl:call-template name="term"><xsl:with-param name="id" select="$list"/></xsl:call-template></th>
      <td><xsl:call-template name="words"><xsl:with-param name="list" select="$list"/></xsl:call-template></td>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <!-- ==== headings ==== -->
  <xsl:template name="h2">
    <xsl:param name="n"/>
    <xsl:param name="id"/>
    <h2 id="{$id}">
      <span class="n">
        <xsl:choose>
          <xsl:when test="$lang = 'zh-CN'"><xsl:value-of select="substring('一二三四五六七八九十', $n, 1)"/>、</xsl:when>
          <xsl:otherwise><xsl:value-of select="$n"/></xsl:otherwise>
        </xsl:choose>
      </span>
      <xsl:call-template name="term"><xsl:with-param name="id" select="$id"/></xsl:call-template>
    </h2>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="h3">
    <xsl:param name="n"/>
    <xsl:param name="m"/>
    <xsl:param name="id"/>
    <h3 id="{$id}">
      <span class="n">
        <xsl:choose>
          <xsl:when test="$lang = 'zh-CN'">（<xsl:value-of select="substring('一二三四五六七八九十', $m, 1)"/>）</xsl:when>
          <xsl:otherwise><xsl:value-of select="concat($n, '.', $m)"/></xsl:otherwise>
        </xsl:choose>
      </span>
      <xsl:call-template name="term"><xsl:with-param name="id" select="$id"/></xsl:call-template>
    </h3>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <!-- ==== signatures ==== -->
  <xsl:template name="signature-cell">
    <xsl:param name="side"/>
    <td class="sign">
      <p class="side"><xsl:call-template name="term"><xsl:with-param name="id" select="$side"/></xsl:call-template>
        <xsl:call-template name="term"><xsl:with-param name="id">colon</xsl:with-param></xsl:call-template>
        <xsl:choose>
          <xsl:when test="$side = 'vendor'"><xsl:call-template name="value"><xsl:with-param name="node" select="key('fact', 'legal-name')"/></xsl:call-template></xsl:when>
          <xsl:otherwise><xsl:call-template name="value"><xsl:with-param name="node" select="key('fact', 'customer')"/></xsl:call-template></xsl:otherwise>
        </xsl:choose>
      </p>
      <xsl:call-template name="line"><xsl:with-param name="id">name</xsl:with-param></xsl:call-template>
      <xsl:call-template name="line"><xsl:with-param name="id">position</xsl:with-param></xsl:call-template>
      <xsl:call-template name="line"><xsl:with-param name="id">signature</xsl:with-param><xsl:with-param name="class">line tall</xsl:with-param></xsl:call-template>
      <xsl:call-template name="line"><xsl:with-param name="id">date</xsl:with-param></xsl:call-template>
    </td>
  </xsl:template>

  <xsl:template name="line">
    <xsl:param name="id"/>
    <xsl:param name="class">line</xsl:param>
    <div class="{$class}"><xsl:call-template name="term"><xsl:with-param name="id" select="$id"/></xsl:call-template></div>
  </xsl:template>

  <xsl:template name="both-sign">
    <table class="signatures" role="presentation">
      <tr>
        <xsl:call-template name="signature-cell"><xsl:with-param name="side">vendor</xsl:with-param></xsl:call-template>
        <xsl:call-template name="signature-cell"><xsl:with-param name="side">customer-side</xsl:with-param></xsl:call-template>
      </tr>
    </table>
  </xsl:template>

  <!-- ==== tables used by more than one paper ==== -->
  <xsl:template name="files-table">
    <table class="facts">
      <xsl:call-template name="row"><xsl:with-param name="id">iso-name</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">iso-bytes</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">iso-sha256</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">base-name</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">base-bytes</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">base-sha256</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
    </table>
  </xsl:template>

  <xsl:template name="updates-table">
    <xsl:choose>
      <xsl:when test="key('list', 'updates|')/item">
        <xsl:call-template name="p"><xsl:with-param name="id">updates-intro</xsl:with-param></xsl:call-template>
        <table>
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">update</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">package</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">type</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">signer</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', 'updates|')/item">
              <tr>
                <th scope="row"><xsl:call-template name="value"><xsl:with-param name="node" select="name"/></xsl:call-template></th>
                <xsl:choose>
                  <xsl:when test="package"><xsl:call-template name="td"><xsl:with-param name="node" select="package"/><xsl:with-param name="class">m</xsl:with-param></xsl:call-template></xsl:when>
                  <xsl:otherwise><xsl:call-template name="td"><xsl:with-param name="node" select="detail"/></xsl:call-template></xsl:otherwise>
                </xsl:choose>
                <xsl:call-template name="td"><xsl:with-param name="node" select="reason"/></xsl:call-template>
                <xsl:call-template name="td"><xsl:with-param name="node" select="signer"/></xsl:call-template>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">updates-none</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- What was done to an item of the list of other changes; a word that the glossary does not know as it stands. -->
  <xsl:template name="change-word">
    <xsl:variable name="t" select="key('term', concat($lang, '|change-', detail))"/>
    <xsl:choose>
      <xsl:when test="$t"><xsl:value-of select="$t"/></xsl:when>
      <xsl:otherwise><span class="v"><xsl:value-of select="detail"/></span></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="removed-table">
    <xsl:choose>
      <xsl:when test="key('list', 'removed|')/item">
        <xsl:call-template name="p"><xsl:with-param name="id">removed-intro</xsl:with-param></xsl:call-template>
        <table class="removed">
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">component</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">count-packages</xsl:with-param><xsl:with-param name="class">num</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">count-files</xsl:with-param><xsl:with-param name="class">num</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">count-services</xsl:with-param><xsl:with-param name="class">num</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">count-tasks</xsl:with-param><xsl:with-param name="class">num</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">count-registry</xsl:with-param><xsl:with-param name="class">num</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">reason</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', 'removed|')/item">
              <tr>
                <th scope="row"><xsl:call-template name="value"><xsl:with-param name="node" select="name"/></xsl:call-template></th>
                <xsl:choose>
                  <xsl:when test="count"><xsl:for-each select="count"><td class="num"><xsl:value-of select="."/></td></xsl:for-each></xsl:when>
                  <xsl:otherwise><td colspan="5"><xsl:call-template name="value"><xsl:with-param name="node" select="detail"/></xsl:call-template></td></xsl:otherwise>
                </xsl:choose>
                <xsl:call-template name="td"><xsl:with-param name="node" select="reason"/></xsl:call-template>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">removed-none</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- Which update server stands afterwards; none is a risk. -->
  <xsl:template name="server">
    <xsl:choose>
      <xsl:when test="key('fact', 'update-server')"><xsl:call-template name="p"><xsl:with-param name="id">server-stands</xsl:with-param></xsl:call-template></xsl:when>
      <xsl:when test="key('list', 'removed|')/item"><xsl:call-template name="p"><xsl:with-param name="id">server-empty</xsl:with-param><xsl:with-param name="class">alert</xsl:with-param></xsl:call-template></xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">server-unchanged</xsl:with-param><xsl:with-param name="class">alert</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- ==== the page ==== -->
  <xsl:template name="page">
    <xsl:param name="paper"/>
    <xsl:param name="prefix"/>
    <xsl:param name="body"/>
    <xsl:variable name="title"><xsl:call-template name="term"><xsl:with-param name="id" select="concat('title-', $paper)"/></xsl:call-template></xsl:variable>
    <xsl:variable name="number"><xsl:value-of select="$prefix"/><xsl:if test="key('fact', 'number')">-<xsl:value-of select="key('fact', 'number')"/></xsl:if></xsl:variable>
    <html lang="{$lang}">
      <head>
        <title><xsl:value-of select="$title"/> — <xsl:value-of select="$number"/></title>
        <meta name="viewport" content="width=device-width"/>
        <style><xsl:call-template name="css"/>
@page { @bottom-left { content: "<xsl:value-of select="$number"/>"; } }
</style>
      </head>
      <body class="{$lang}">
        <div class="sheet">
          <div class="head">
            <p class="issuer"><xsl:call-template name="value"><xsl:with-param name="node" select="key('fact', 'legal-name')"/></xsl:call-template></p>
            <h1><xsl:value-of select="$title"/></h1>
            <p class="number"><xsl:call-template name="term"><xsl:with-param name="id">number</xsl:with-param></xsl:call-template><xsl:call-template name="term"><xsl:with-param name="id">colon</xsl:with-param></xsl:call-template><span class="m"><xsl:value-of select="$number"/></span></p>
          </div>
          <table class="title">
            <xsl:call-template name="pair"><xsl:with-param name="a">image-name</xsl:with-param><xsl:with-param name="b">customer</xsl:with-param></xsl:call-template>
            <xsl:call-template name="pair"><xsl:with-param name="a">version</xsl:with-param><xsl:with-param name="b">request-case</xsl:with-param></xsl:call-template>
            <xsl:call-template name="pair"><xsl:with-param name="a">product</xsl:with-param><xsl:with-param name="b">release</xsl:with-param></xsl:call-template>
            <xsl:call-template name="pair"><xsl:with-param name="a">windows-version</xsl:with-param><xsl:with-param name="b">date</xsl:with-param></xsl:call-template>
          </table>
          <xsl:copy-of select="$body"/>
          <div class="foot">
            <p><xsl:call-template name="clause-text"><xsl:with-param name="id">languages</xsl:with-param></xsl:call-template></p>
            <p><span class="m"><xsl:value-of select="$number"/></span></p>
          </div>
        </div>
      </body>
    </html>
  </xsl:template>

  <xsl:template name="pair">
    <xsl:param name="a"/>
    <xsl:param name="b"/>
    <tr>
      <th scope="row"><xsl:call-template name="term"><xsl:with-param name="id" select="$a"/></xsl:call-template></th>
      <td data-fact="{$a}"><xsl:call-template name="value"><xsl:with-param name="node" select="key('fact', $a)"/></xsl:call-template></td>
      <th scope="row"><xsl:call-template name="term"><xsl:with-param name="id" select="$b"/></xsl:call-template></th>
      <td data-fact="{$b}"><xsl:call-template name="value"><xsl:with-param name="node" select="key('fact', $b)"/></xsl:call-template></td>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="css">
:root { --ink: #1b1b1b; --soft: #555; --rule: #8a8a8a; --hair: #c9c9c9; --tint: #f3f3f0; --alert: #a40000; }
* { box-sizing: border-box; }
html { background: #e6e6e3; }
body { margin: 0; color: var(--ink); font: 10.5pt/1.55 "Source Serif 4", "Noto Serif", "Times New Roman", Times, serif; }
body.zh-CN { font-family: "Noto Serif CJK SC", "Source Han Serif SC", "Songti SC", SimSun, "Times New Roman", serif; line-height: 1.7; }
.sheet { width: 210mm; max-width: 100%; margin: 8mm auto; padding: 20mm 20mm 16mm; background: #fff; box-shadow: 0 1px 5px rgba(0,0,0,.25); }
.head { text-align: center; border-bottom: 2.5pt double var(--ink); padding-bottom: 4mm; margin-bottom: 6mm; }
.issuer { margin: 0; font-size: 11pt; letter-spacing: .06em; color: var(--soft); }
h1 { margin: 3mm 0 2mm; font-size: 20pt; line-height: 1.3; font-weight: 700; }
.zh-CN h1 { letter-spacing: .12em; }
.number { margin: 0; font-size: 9.5pt; }
h2 { font-size: 13pt; line-height: 1.4; margin: 8mm 0 2.5mm; padding-bottom: 1mm; border-bottom: .6pt solid var(--rule); break-after: avoid; }
h3 { font-size: 11pt; line-height: 1.4; margin: 5mm 0 1.5mm; break-after: avoid; }
h1, h2, h3 { font-family: "Source Serif 4", "Noto Serif", "Times New Roman", Times, serif; }
.zh-CN h1, .zh-CN h2, .zh-CN h3 { font-family: "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", SimHei, sans-serif; }
h2 .n, h3 .n { margin-right: .5em; }
.zh-CN h2 .n, .zh-CN h3 .n { margin-right: 0; }
p { margin: 0 0 2.2mm; }
p:has(+ table), p:has(+ pre) { break-after: avoid; }
ol, ul { margin: 0 0 2.5mm; padding-left: 1.6em; }
li { margin-bottom: 1.2mm; }
table { width: 100%; border-collapse: collapse; margin: 1.5mm 0 4mm; font-size: 9.5pt; line-height: 1.5; }
th, td { border: .6pt solid var(--rule); padding: 1.3mm 2mm; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; }
thead { display: table-header-group; }
thead th { background: var(--tint); white-space: normal; overflow-wrap: break-word; }
tr { break-inside: avoid; }
table.title th, table.facts th { background: var(--tint); font-weight: 400; color: #333; overflow-wrap: break-word; }
table.title { table-layout: fixed; }
table.title th { width: 17%; }
table.facts th { width: 26%; }
table.facts, table.title { break-inside: avoid; }
tbody th { min-width: 38mm; }
table.risks { table-layout: fixed; }
table.risks th.key { width: 13mm; }
table.removed td:last-child { min-width: 36mm; }
table.files td:first-child { min-width: 46mm; }
table.roles td.blank { min-width: 26mm; }
table.roles tbody th { min-width: 30mm; }
table.title th, table.facts th, tbody th.key { min-width: 0; }
td.num, th.num { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
.num { white-space: nowrap; }
th.num { white-space: normal; }
.v, .m { unicode-bidi: isolate; }
.m, pre { font-family: "DejaVu Sans Mono", "Noto Sans Mono", Consolas, "Courier New", monospace; font-size: 8.6pt; }
.m { overflow-wrap: anywhere; }
pre { background: var(--tint); border: .6pt solid var(--hair); padding: 2mm 3mm; margin: 0 0 3mm; white-space: pre-wrap; overflow-wrap: anywhere; break-inside: avoid; }
.missing { color: var(--soft); font-style: italic; }
.zh-CN .missing { font-style: normal; }
.summary { border: 1pt solid var(--ink); padding: 3mm 4mm 1.5mm; margin: 5mm 0; break-inside: avoid; }
.summary h2 { margin: 0 0 1.5mm; border: 0; padding: 0; font-size: 11.5pt; }
.alert { color: var(--alert); font-weight: 600; }
.late { font-weight: 600; }
p.strong { font-weight: 600; }
p.alert, p.late { border-left: 2.5pt solid currentColor; padding: 1mm 0 1mm 3mm; }
.key { width: 3.2em; text-align: center; }
.box { font-family: "DejaVu Sans", "Noto Sans CJK SC", "Segoe UI Symbol", sans-serif; font-size: 12pt; line-height: 1; text-align: center; width: 4.6em; }
.boxes { font-family: "DejaVu Sans", "Noto Sans CJK SC", "Segoe UI Symbol", sans-serif; font-size: 12pt; line-height: 1; }
td.choice { white-space: nowrap; overflow-wrap: normal; }
td.blank { min-width: 22mm; }
.fill { display: block; border-bottom: .6pt solid var(--ink); height: 9mm; }
.decision { list-style: none; padding-left: 0; }
table.signatures { break-inside: avoid; margin-top: 4mm; table-layout: fixed; }
td.sign { padding: 3mm 4mm 5mm; }
.side { font-weight: 600; }
.line { border-bottom: .6pt solid var(--ink); margin-top: 5mm; padding-bottom: .5mm; font-size: 9.5pt; }
.tall { margin-top: 12mm; }
.foot { margin-top: 8mm; padding-top: 2mm; border-top: .6pt solid var(--rule); font-size: 8.5pt; color: var(--soft); }
.foot p { margin: 0 0 1mm; }
@page { size: A4; margin: 20mm 18mm 20mm 22mm;
  @bottom-left { font: 8pt "DejaVu Sans Mono", Consolas, monospace; color: #555; }
  @bottom-right { content: counter(page) " / " counter(pages); font: 8pt "DejaVu Sans Mono", Consolas, monospace; color: #555; } }
@media print {
  html, .sheet { background: #fff; }
  .sheet { width: auto; margin: 0; padding: 0 1pt; box-shadow: none; }
  p { orphans: 2; widows: 2; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
</xsl:template>
</xsl:stylesheet>
