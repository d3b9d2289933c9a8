<?xml version="1.0" encoding="UTF-8"?>
<!-- The risk disclosure: what was built, what it risks, what is not known. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="common.xsl"/>

  <xsl:template match="/report">
    <xsl:call-template name="page">
      <xsl:with-param name="paper">risk-disclosure</xsl:with-param>
      <xsl:with-param name="prefix">RD</xsl:with-param>
      <xsl:with-param name="body">
        <xsl:call-template name="summary"/>
        <xsl:call-template name="request"/>
        <xsl:call-template name="content"/>
        <xsl:call-template name="offline"/>
        <xsl:call-template name="risks"/>
        <xsl:call-template name="metadata"/>
        <xsl:call-template name="alternative"/>
        <xsl:call-template name="tests"/>
        <xsl:call-template name="rollout"/>
        <xsl:call-template name="support"/>
        <xsl:call-template name="digests"/>
      </xsl:with-param>
    </xsl:call-template>
  </xsl:template>

  <xsl:template name="summary">
    <div class="summary">
      <h2><xsl:call-template name="term"><xsl:with-param name="id">summary</xsl:with-param></xsl:call-template></h2>
      <xsl:call-template name="p"><xsl:with-param name="id">summary-subject</xsl:with-param></xsl:call-template>
      <ul>
        <xsl:call-template name="li"><xsl:with-param name="id">summary-path</xsl:with-param></xsl:call-template>
        <xsl:if test="not(key('list', 'tests|')/item)"><xsl:call-template name="li"><xsl:with-param name="id">summary-untested</xsl:with-param></xsl:call-template></xsl:if>
        <xsl:call-template name="li"><xsl:with-param name="id">summary-alternative</xsl:with-param></xsl:call-template>
      </ul>
      <xsl:if test="not(key('fact', 'update-server'))">
        <xsl:choose>
          <xsl:when test="key('list', 'removed|')/item"><xsl:call-template name="p"><xsl:with-param name="id">summary-server-empty</xsl:with-param><xsl:with-param name="class">alert</xsl:with-param></xsl:call-template></xsl:when>
          <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">server-unchanged</xsl:with-param><xsl:with-param name="class">alert</xsl:with-param></xsl:call-template></xsl:otherwise>
        </xsl:choose>
      </xsl:if>
    </div>
  </xsl:template>

  <xsl:template name="request">
    <xsl:call-template name="h2"><xsl:with-param name="n">1</xsl:with-param><xsl:with-param name="id">h-request</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">request-intro</xsl:with-param></xsl:call-template>
    <table class="facts">
      <xsl:call-template name="row"><xsl:with-param name="id">asked-for</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">requested</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">promised</xsl:with-param></xsl:call-template>
      <xsl:call-template name="words-row"><xsl:with-param name="list">scenario</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">edition</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">windows-version</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">base-name</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">iso-name</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
    </table>
    <xsl:if test="key('fact', 'days-late')">
      <xsl:call-template name="p"><xsl:with-param name="id">request-late</xsl:with-param><xsl:with-param name="class">late</xsl:with-param></xsl:call-template>
    </xsl:if>
  </xsl:template>

  <xsl:template name="content">
    <xsl:call-template name="h2"><xsl:with-param name="n">2</xsl:with-param><xsl:with-param name="id">h-content</xsl:with-param></xsl:call-template>
    <xsl:call-template name="h3"><xsl:with-param name="n">2</xsl:with-param><xsl:with-param name="m">1</xsl:with-param><xsl:with-param name="id">h-updates</xsl:with-param></xsl:call-template>
    <xsl:call-template name="updates-table"/>
    <xsl:call-template name="h3"><xsl:with-param name="n">2</xsl:with-param><xsl:with-param name="m">2</xsl:with-param><xsl:with-param name="id">h-skipped</xsl:with-param></xsl:call-template>
    <xsl:call-template name="skipped"/>
    <xsl:call-template name="h3"><xsl:with-param name="n">2</xsl:with-param><xsl:with-param name="m">3</xsl:with-param><xsl:with-param name="id">h-removed</xsl:with-param></xsl:call-template>
    <xsl:call-template name="removed-table"/>
    <xsl:call-template name="h3"><xsl:with-param name="n">2</xsl:with-param><xsl:with-param name="m">4</xsl:with-param><xsl:with-param name="id">h-features</xsl:with-param></xsl:call-template>
    <xsl:call-template name="features"/>
    <xsl:call-template name="h3"><xsl:with-param name="n">2</xsl:with-param><xsl:with-param name="m">5</xsl:with-param><xsl:with-param name="id">h-changes</xsl:with-param></xsl:call-template>
    <xsl:call-template name="changes"/>
    <xsl:call-template name="h3"><xsl:with-param name="n">2</xsl:with-param><xsl:with-param name="m">6</xsl:with-param><xsl:with-param name="id">h-server</xsl:with-param></xsl:call-template>
    <xsl:call-template name="server"/>
    <xsl:call-template name="p"><xsl:with-param name="id">server-migration</xsl:with-param></xsl:call-template>
    <xsl:if test="key('list', 'after-upgrade|')/item">
      <xsl:call-template name="p"><xsl:with-param name="id">server-step</xsl:with-param></xsl:call-template>
      <ol class="m" lang="en">
        <xsl:for-each select="key('list', 'after-upgrade|')/item">
          <li><xsl:call-template name="value"><xsl:with-param name="node" select="name"/></xsl:call-template></li>
        </xsl:for-each>
      </ol>
    </xsl:if>
  </xsl:template>

  <xsl:template name="skipped">
    <xsl:choose>
      <xsl:when test="key('list', 'skipped|')/item">
        <table>
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">update</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">reason</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', 'skipped|')/item">
              <tr>
                <th scope="row"><xsl:call-template name="value"><xsl:with-param name="node" select="name"/></xsl:call-template></th>
                <td><xsl:call-template name="value"><xsl:with-param name="node" select="detail"/></xsl:call-template></td>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">skipped-none</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="changes">
    <xsl:choose>
      <xsl:when test="key('list', 'changes|')/item">
        <xsl:call-template name="p"><xsl:with-param name="id">changes-intro</xsl:with-param></xsl:call-template>
        <table>
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">change-what</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">change-kind</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">reason</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', 'changes|')/item">
              <tr>
                <th scope="row"><xsl:call-template name="value"><xsl:with-param name="node" select="name"/></xsl:call-template></th>
                <td><xsl:call-template name="change-word"/></td>
                <xsl:call-template name="td"><xsl:with-param name="node" select="reason"/></xsl:call-template>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">changes-none</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="features">
    <xsl:choose>
      <xsl:when test="key('list', 'features|')/item">
        <table>
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">feature</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">state</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">reason</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', 'features|')/item">
              <tr>
                <th scope="row"><xsl:call-template name="value"><xsl:with-param name="node" select="name"/></xsl:call-template></th>
                <td><xsl:call-template name="word"><xsl:with-param name="kind">state</xsl:with-param><xsl:with-param name="word" select="detail"/></xsl:call-template></td>
                <xsl:call-template name="td"><xsl:with-param name="node" select="reason"/></xsl:call-template>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">features-none</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="offline">
    <xsl:call-template name="h2"><xsl:with-param name="n">3</xsl:with-param><xsl:with-param name="id">h-offline</xsl:with-param></xsl:call-template>
    <xsl:choose>
      <xsl:when test="key('list', 'notes|')/item">
        <xsl:call-template name="p"><xsl:with-param name="id">offline-intro</xsl:with-param></xsl:call-template>
        <table>
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">subject</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">meaning</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">record</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', 'notes|')/item">
              <xsl:variable name="known" select="key('clause', concat($lang, '|note-', reason))"/>
              <tr>
                <xsl:call-template name="td"><xsl:with-param name="node" select="name"/><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
                <td>
                  <xsl:choose>
                    <xsl:when test="reason and $known"><xsl:call-template name="clause-text"><xsl:with-param name="id" select="concat('note-', reason)"/></xsl:call-template></xsl:when>
                    <xsl:otherwise><xsl:call-template name="clause-text"><xsl:with-param name="id">note-other</xsl:with-param></xsl:call-template></xsl:otherwise>
                  </xsl:choose>
                </td>
                <td lang="en"><xsl:call-template name="value"><xsl:with-param name="node" select="detail"/></xsl:call-template></td>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">offline-none</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="risk">
    <xsl:param name="key"/>
    <xsl:param name="measure" select="concat('risk-', $key, '-measure')"/>
    <tr>
      <th scope="row" class="key">(<xsl:value-of select="$key"/>)</th>
      <td><xsl:call-template name="clause-text"><xsl:with-param name="id" select="concat('risk-', $key)"/></xsl:call-template></td>
      <td><xsl:call-template name="clause-text"><xsl:with-param name="id" select="$measure"/></xsl:call-template></td>
      <td><xsl:call-template name="clause-text"><xsl:with-param name="id" select="concat('risk-', $key, '-residual')"/></xsl:call-template></td>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="risks">
    <xsl:call-template name="h2"><xsl:with-param name="n">4</xsl:with-param><xsl:with-param name="id">h-risks</xsl:with-param></xsl:call-template>
    <xsl:call-template name="h3"><xsl:with-param name="n">4</xsl:with-param><xsl:with-param name="m">1</xsl:with-param><xsl:with-param name="id">h-risks-general</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">risks-intro</xsl:with-param></xsl:call-template>
    <table class="risks">
      <thead><tr>
        <xsl:call-template name="th"><xsl:with-param name="id">number-short</xsl:with-param><xsl:with-param name="class">key</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">risk</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">measure</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">residual</xsl:with-param></xsl:call-template>
      </tr></thead>
      <tbody>
        <xsl:choose>
          <xsl:when test="key('fact', 'verified')"><xsl:call-template name="risk"><xsl:with-param name="key">a</xsl:with-param></xsl:call-template></xsl:when>
          <xsl:otherwise><xsl:call-template name="risk"><xsl:with-param name="key">a</xsl:with-param><xsl:with-param name="measure">risk-a-measure-none</xsl:with-param></xsl:call-template></xsl:otherwise>
        </xsl:choose>
        <xsl:call-template name="risk"><xsl:with-param name="key">b</xsl:with-param></xsl:call-template>
        <xsl:choose>
          <xsl:when test="key('fact', 'stream')"><xsl:call-template name="risk"><xsl:with-param name="key">c</xsl:with-param></xsl:call-template></xsl:when>
          <xsl:otherwise><xsl:call-template name="risk"><xsl:with-param name="key">c</xsl:with-param><xsl:with-param name="measure">risk-c-measure-none</xsl:with-param></xsl:call-template></xsl:otherwise>
        </xsl:choose>
        <xsl:call-template name="risk"><xsl:with-param name="key">d</xsl:with-param></xsl:call-template>
      </tbody>
    </table>
    <xsl:call-template name="h3"><xsl:with-param name="n">4</xsl:with-param><xsl:with-param name="m">2</xsl:with-param><xsl:with-param name="id">h-risks-component</xsl:with-param></xsl:call-template>
    <xsl:call-template name="effects"><xsl:with-param name="list">risks</xsl:with-param><xsl:with-param name="none">component-risks-none</xsl:with-param></xsl:call-template>
    <xsl:call-template name="h3"><xsl:with-param name="n">4</xsl:with-param><xsl:with-param name="m">3</xsl:with-param><xsl:with-param name="id">h-unknown</xsl:with-param></xsl:call-template>
    <xsl:if test="key('list', concat('unknown|', $lang))/item"><xsl:call-template name="p"><xsl:with-param name="id">unknown-intro</xsl:with-param></xsl:call-template></xsl:if>
    <xsl:call-template name="effects"><xsl:with-param name="list">unknown</xsl:with-param><xsl:with-param name="none">unknown-none</xsl:with-param></xsl:call-template>
  </xsl:template>

  <xsl:template name="effects">
    <xsl:param name="list"/>
    <xsl:param name="none"/>
    <xsl:choose>
      <xsl:when test="key('list', concat($list, '|', $lang))/item">
        <table>
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">component</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">effect</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', concat($list, '|', $lang))/item">
              <tr>
                <th scope="row"><xsl:call-template name="value"><xsl:with-param name="node" select="name"/></xsl:call-template></th>
                <td>
                  <xsl:if test="@lang">
                    <xsl:attribute name="lang"><xsl:value-of select="@lang"/></xsl:attribute>
                  </xsl:if>
                  <xsl:call-template name="value"><xsl:with-param name="node" select="detail"/></xsl:call-template>
                  <xsl:if test="@lang">
                    <xsl:call-template name="term"><xsl:with-param name="id">open</xsl:with-param></xsl:call-template>
                    <xsl:call-template name="term"><xsl:with-param name="id">original-language</xsl:with-param></xsl:call-template>
                    <xsl:call-template name="term"><xsl:with-param name="id">close</xsl:with-param></xsl:call-template>
                  </xsl:if>
                </td>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id" select="$none"/></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="metadata">
    <xsl:call-template name="h2"><xsl:with-param name="n">5</xsl:with-param><xsl:with-param name="id">h-metadata</xsl:with-param></xsl:call-template>
    <xsl:choose>
      <xsl:when test="not(key('fact', 'stream'))"><xsl:call-template name="p"><xsl:with-param name="id">metadata-none</xsl:with-param></xsl:call-template></xsl:when>
      <xsl:otherwise>
        <xsl:call-template name="superseded"/>
        <table class="facts">
          <xsl:call-template name="words-row"><xsl:with-param name="list">upgrade-from</xsl:with-param></xsl:call-template>
        </table>
        <xsl:call-template name="p"><xsl:with-param name="id">metadata-model</xsl:with-param></xsl:call-template>
        <xsl:call-template name="p"><xsl:with-param name="id">metadata-model-limit</xsl:with-param></xsl:call-template>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="superseded">
    <xsl:choose>
      <xsl:when test="key('list', 'superseded|')/item">
        <xsl:call-template name="p"><xsl:with-param name="id">metadata-stream</xsl:with-param></xsl:call-template>
        <table>
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">title-word</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">version</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">guid</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', 'superseded|')/item">
              <tr>
                <xsl:choose>
                  <xsl:when test="guid">
                    <th scope="row"><xsl:call-template name="value"><xsl:with-param name="node" select="title"/></xsl:call-template></th>
                    <xsl:call-template name="td"><xsl:with-param name="node" select="version"/></xsl:call-template>
                    <xsl:call-template name="td"><xsl:with-param name="node" select="guid"/><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
                  </xsl:when>
                  <xsl:otherwise><td colspan="3"><xsl:call-template name="value"><xsl:with-param name="node" select="name"/></xsl:call-template></td></xsl:otherwise>
                </xsl:choose>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">metadata-stream-first</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="compare">
    <xsl:param name="id"/>
    <xsl:param name="this" select="concat('alt-', $id, '-this')"/>
    <tr>
      <th scope="row"><xsl:call-template name="clause-text"><xsl:with-param name="id" select="concat('alt-', $id)"/></xsl:call-template></th>
      <td><xsl:call-template name="clause-text"><xsl:with-param name="id" select="$this"/></xsl:call-template></td>
      <td><xsl:call-template name="clause-text"><xsl:with-param name="id" select="concat('alt-', $id, '-standard')"/></xsl:call-template></td>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="alternative">
    <xsl:call-template name="h2"><xsl:with-param name="n">6</xsl:with-param><xsl:with-param name="id">h-alternative</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">alternative-intro</xsl:with-param></xsl:call-template>
    <table>
      <thead><tr>
        <xsl:call-template name="th"><xsl:with-param name="id">criterion</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">this-image</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">standard-image</xsl:with-param></xsl:call-template>
      </tr></thead>
      <tbody>
        <xsl:call-template name="compare"><xsl:with-param name="id">path</xsl:with-param></xsl:call-template>
        <xsl:call-template name="compare"><xsl:with-param name="id">test</xsl:with-param></xsl:call-template>
        <xsl:choose>
          <xsl:when test="key('list', 'updates|')/item">
            <xsl:call-template name="compare"><xsl:with-param name="id">patch</xsl:with-param></xsl:call-template>
            <xsl:call-template name="compare"><xsl:with-param name="id">download</xsl:with-param></xsl:call-template>
          </xsl:when>
          <xsl:otherwise>
            <xsl:call-template name="compare"><xsl:with-param name="id">patch</xsl:with-param><xsl:with-param name="this">alt-patch-standard</xsl:with-param></xsl:call-template>
            <xsl:call-template name="compare"><xsl:with-param name="id">download</xsl:with-param><xsl:with-param name="this">alt-download-standard</xsl:with-param></xsl:call-template>
          </xsl:otherwise>
        </xsl:choose>
        <xsl:choose>
          <xsl:when test="key('list', 'removed|')/item"><xsl:call-template name="compare"><xsl:with-param name="id">removal</xsl:with-param></xsl:call-template></xsl:when>
          <xsl:otherwise><xsl:call-template name="compare"><xsl:with-param name="id">removal</xsl:with-param><xsl:with-param name="this">alt-removal-this-none</xsl:with-param></xsl:call-template></xsl:otherwise>
        </xsl:choose>
        <xsl:call-template name="compare"><xsl:with-param name="id">relation</xsl:with-param></xsl:call-template>
        <xsl:call-template name="compare"><xsl:with-param name="id">maintain</xsl:with-param></xsl:call-template>
      </tbody>
    </table>
    <xsl:call-template name="p"><xsl:with-param name="id">alternative-decision</xsl:with-param></xsl:call-template>
  </xsl:template>

  <xsl:template name="tests">
    <xsl:call-template name="h2"><xsl:with-param name="n">7</xsl:with-param><xsl:with-param name="id">h-tests</xsl:with-param></xsl:call-template>
    <xsl:choose>
      <xsl:when test="key('fact', 'verified')"><xsl:call-template name="p"><xsl:with-param name="id">verified</xsl:with-param></xsl:call-template></xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">not-verified</xsl:with-param><xsl:with-param name="class">alert</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
    <xsl:choose>
      <xsl:when test="key('list', 'tests|')/item">
        <xsl:call-template name="p"><xsl:with-param name="id">tests-intro</xsl:with-param></xsl:call-template>
        <table>
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">test</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">result</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', 'tests|')/item">
              <tr>
                <th scope="row"><xsl:call-template name="value"><xsl:with-param name="node" select="name"/></xsl:call-template></th>
                <xsl:call-template name="td"><xsl:with-param name="node" select="detail"/></xsl:call-template>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">tests-none</xsl:with-param><xsl:with-param name="class">alert</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="given">
    <xsl:param name="id"/>
    <tr>
      <th scope="row"><xsl:call-template name="term"><xsl:with-param name="id" select="$id"/></xsl:call-template></th>
      <td data-fact="{$id}">
        <xsl:choose>
          <xsl:when test="$id = 'clock' and key('fact', 'clock')"><xsl:call-template name="word"><xsl:with-param name="kind">clock</xsl:with-param><xsl:with-param name="word" select="key('fact', 'clock')"/></xsl:call-template></xsl:when>
          <xsl:otherwise><xsl:call-template name="value"><xsl:with-param name="node" select="key('fact', $id)"/></xsl:call-template></xsl:otherwise>
        </xsl:choose>
      </td>
      <td><xsl:if test="key('fact', $id)"><xsl:call-template name="term"><xsl:with-param name="id">as-given</xsl:with-param></xsl:call-template></xsl:if></td>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="computed">
    <xsl:param name="id"/>
    <tr>
      <th scope="row"><xsl:call-template name="term"><xsl:with-param name="id" select="$id"/></xsl:call-template></th>
      <td data-fact="{$id}"><xsl:call-template name="value"><xsl:with-param name="node" select="key('fact', $id)"/></xsl:call-template></td>
      <td><xsl:if test="key('fact', $id)"><span class="v"><xsl:value-of select="key('fact', concat($id, '-formula'))"/></span></xsl:if></td>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="rollout">
    <xsl:call-template name="h2"><xsl:with-param name="n">8</xsl:with-param><xsl:with-param name="id">h-rollout</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">rollout-intro</xsl:with-param></xsl:call-template>
    <table class="rollout">
      <thead><tr>
        <xsl:call-template name="th"><xsl:with-param name="id">figure</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">value</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">formula</xsl:with-param></xsl:call-template>
      </tr></thead>
      <tbody>
        <xsl:call-template name="given"><xsl:with-param name="id">devices</xsl:with-param></xsl:call-template>
        <xsl:call-template name="given"><xsl:with-param name="id">branches</xsl:with-param></xsl:call-template>
        <xsl:call-template name="given"><xsl:with-param name="id">days</xsl:with-param></xsl:call-template>
        <xsl:call-template name="given"><xsl:with-param name="id">line-mbit</xsl:with-param></xsl:call-template>
        <xsl:call-template name="given"><xsl:with-param name="id">patch-days</xsl:with-param></xsl:call-template>
        <xsl:call-template name="given"><xsl:with-param name="id">clock</xsl:with-param></xsl:call-template>
        <xsl:call-template name="computed"><xsl:with-param name="id">hours</xsl:with-param></xsl:call-template>
        <xsl:call-template name="computed"><xsl:with-param name="id">total-gb</xsl:with-param></xsl:call-template>
        <xsl:call-template name="computed"><xsl:with-param name="id">devices-per-branch</xsl:with-param></xsl:call-template>
        <xsl:call-template name="computed"><xsl:with-param name="id">branch-days</xsl:with-param></xsl:call-template>
        <xsl:call-template name="computed"><xsl:with-param name="id">devices-per-day</xsl:with-param></xsl:call-template>
        <xsl:call-template name="computed"><xsl:with-param name="id">late-devices</xsl:with-param></xsl:call-template>
      </tbody>
    </table>
    <xsl:if test="key('fact', 'late-devices') and not(key('fact', 'late-devices') = '0')">
      <xsl:call-template name="p"><xsl:with-param name="id">rollout-late</xsl:with-param></xsl:call-template>
    </xsl:if>
  </xsl:template>

  <xsl:template name="support">
    <xsl:call-template name="h2"><xsl:with-param name="n">9</xsl:with-param><xsl:with-param name="id">h-support</xsl:with-param></xsl:call-template>
    <table class="facts">
      <xsl:call-template name="row"><xsl:with-param name="id">legal-name</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">hotline</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">support-scope</xsl:with-param></xsl:call-template>
    </table>
    <xsl:call-template name="p"><xsl:with-param name="id">support-bears</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">support-problem</xsl:with-param></xsl:call-template>
  </xsl:template>

  <xsl:template name="digests">
    <xsl:call-template name="h2"><xsl:with-param name="n">10</xsl:with-param><xsl:with-param name="id">h-digests</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">digests-intro</xsl:with-param></xsl:call-template>
    <xsl:call-template name="files-table"/>
    <h2 class="plain"><xsl:call-template name="term"><xsl:with-param name="id">h-notice</xsl:with-param></xsl:call-template></h2>
    <xsl:call-template name="p"><xsl:with-param name="id">notice-issue</xsl:with-param></xsl:call-template>
    <xsl:call-template name="both-sign"/>
  </xsl:template>
</xsl:stylesheet>
