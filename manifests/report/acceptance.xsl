<?xml version="1.0" encoding="UTF-8"?>
<!-- The acceptance form: what the customer confirms, item by item, and who signs. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="common.xsl"/>

  <xsl:template match="/report">
    <xsl:call-template name="page">
      <xsl:with-param name="paper">acceptance</xsl:with-param>
      <xsl:with-param name="prefix">AC</xsl:with-param>
      <xsl:with-param name="body">
        <xsl:call-template name="subject"/>
        <xsl:call-template name="checks"/>
        <xsl:call-template name="content"/>
        <xsl:call-template name="risks"/>
        <xsl:call-template name="tests"/>
        <xsl:call-template name="decision"/>
        <xsl:call-template name="signatures"/>
      </xsl:with-param>
    </xsl:call-template>
  </xsl:template>

  <xsl:template name="subject">
    <xsl:call-template name="p"><xsl:with-param name="id">acceptance-intro</xsl:with-param></xsl:call-template>
    <xsl:call-template name="h2"><xsl:with-param name="n">1</xsl:with-param><xsl:with-param name="id">h-subject</xsl:with-param></xsl:call-template>
    <table class="facts">
      <xsl:call-template name="row"><xsl:with-param name="id">asked-for</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">promised</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">iso-name</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">iso-bytes</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">iso-sha256</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
    </table>
  </xsl:template>

  <!-- ==== lists to tick ==== -->
  <xsl:template name="tick-head">
    <thead><tr>
      <xsl:call-template name="th"><xsl:with-param name="id">item</xsl:with-param></xsl:call-template>
      <xsl:call-template name="th"><xsl:with-param name="id">check</xsl:with-param></xsl:call-template>
      <xsl:call-template name="th"><xsl:with-param name="id">remark</xsl:with-param></xsl:call-template>
    </tr></thead>
  </xsl:template>

  <xsl:template name="tick-cells">
    <td class="box">☐</td>
    <td class="blank"></td>
  </xsl:template>

  <xsl:template name="tick">
    <xsl:param name="id"/>
    <xsl:param name="key"/>
    <tr>
      <td>
        <xsl:if test="$key"><strong>(<xsl:value-of select="$key"/>) </strong></xsl:if>
        <xsl:call-template name="clause-text"><xsl:with-param name="id" select="$id"/></xsl:call-template>
      </td>
      <xsl:call-template name="tick-cells"/>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="tick-items">
    <xsl:param name="list"/>
    <xsl:param name="id"/>
    <xsl:for-each select="key('list', concat($list, '|'))/item">
      <tr>
        <td>
          <xsl:call-template name="clause-text"><xsl:with-param name="id" select="$id"/></xsl:call-template>
          <span class="v"><xsl:value-of select="name"/></span>
          <xsl:if test="$list = 'changes'">
            <xsl:call-template name="term"><xsl:with-param name="id">colon</xsl:with-param></xsl:call-template>
            <xsl:call-template name="change-word"/>
          </xsl:if>
          <xsl:if test="$list = 'features'">
            <xsl:call-template name="term"><xsl:with-param name="id">colon</xsl:with-param></xsl:call-template>
            <xsl:call-template name="word"><xsl:with-param name="kind">state</xsl:with-param><xsl:with-param name="word" select="detail"/></xsl:call-template>
          </xsl:if>
        </td>
        <xsl:call-template name="tick-cells"/>
      </tr>
      <xsl:text>&#10;</xsl:text>
    </xsl:for-each>
  </xsl:template>

  <xsl:template name="checks">
    <xsl:call-template name="h2"><xsl:with-param name="n">2</xsl:with-param><xsl:with-param name="id">h-checks</xsl:with-param></xsl:call-template>
    <table class="ticks">
      <xsl:call-template name="tick-head"/>
      <tbody>
        <xsl:call-template name="tick"><xsl:with-param name="id">check-received</xsl:with-param></xsl:call-template>
        <xsl:call-template name="tick"><xsl:with-param name="id">check-digest</xsl:with-param></xsl:call-template>
        <xsl:call-template name="tick"><xsl:with-param name="id">check-signature</xsl:with-param></xsl:call-template>
        <xsl:call-template name="tick"><xsl:with-param name="id">check-disclosure</xsl:with-param></xsl:call-template>
      </tbody>
    </table>
  </xsl:template>

  <xsl:template name="content">
    <xsl:call-template name="h2"><xsl:with-param name="n">3</xsl:with-param><xsl:with-param name="id">h-content-checks</xsl:with-param></xsl:call-template>
    <table class="ticks">
      <xsl:call-template name="tick-head"/>
      <tbody>
        <xsl:call-template name="tick-items"><xsl:with-param name="list">updates</xsl:with-param><xsl:with-param name="id">check-update</xsl:with-param></xsl:call-template>
        <xsl:call-template name="tick-items"><xsl:with-param name="list">removed</xsl:with-param><xsl:with-param name="id">check-removed</xsl:with-param></xsl:call-template>
        <xsl:call-template name="tick-items"><xsl:with-param name="list">features</xsl:with-param><xsl:with-param name="id">check-feature</xsl:with-param></xsl:call-template>
        <xsl:call-template name="tick-items"><xsl:with-param name="list">changes</xsl:with-param><xsl:with-param name="id">check-change</xsl:with-param></xsl:call-template>
        <xsl:if test="not(key('list', 'updates|')/item | key('list', 'removed|')/item | key('list', 'features|')/item | key('list', 'changes|')/item)">
          <xsl:call-template name="tick"><xsl:with-param name="id">check-no-changes</xsl:with-param></xsl:call-template>
        </xsl:if>
        <xsl:call-template name="tick"><xsl:with-param name="id">check-server</xsl:with-param></xsl:call-template>
      </tbody>
    </table>
  </xsl:template>

  <xsl:template name="risks">
    <xsl:call-template name="h2"><xsl:with-param name="n">4</xsl:with-param><xsl:with-param name="id">h-risk-checks</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">risk-checks-intro</xsl:with-param></xsl:call-template>
    <table class="ticks">
      <xsl:call-template name="tick-head"/>
      <tbody>
        <xsl:call-template name="tick"><xsl:with-param name="id">risk-a</xsl:with-param><xsl:with-param name="key">a</xsl:with-param></xsl:call-template>
        <xsl:call-template name="tick"><xsl:with-param name="id">risk-b</xsl:with-param><xsl:with-param name="key">b</xsl:with-param></xsl:call-template>
        <xsl:call-template name="tick"><xsl:with-param name="id">risk-c</xsl:with-param><xsl:with-param name="key">c</xsl:with-param></xsl:call-template>
        <xsl:call-template name="tick"><xsl:with-param name="id">risk-d</xsl:with-param><xsl:with-param name="key">d</xsl:with-param></xsl:call-template>
        <xsl:for-each select="key('list', concat('risks|', $lang))/item | key('list', concat('unknown|', $lang))/item">
          <tr>
            <td>
              <strong><span class="v"><xsl:value-of select="name"/></span><xsl:call-template name="term"><xsl:with-param name="id">colon</xsl:with-param></xsl:call-template></strong>
              <span class="v"><xsl:if test="@lang"><xsl:attribute name="lang"><xsl:value-of select="@lang"/></xsl:attribute></xsl:if><xsl:value-of select="detail"/></span>
            </td>
            <xsl:call-template name="tick-cells"/>
          </tr>
          <xsl:text>&#10;</xsl:text>
        </xsl:for-each>
        <xsl:choose>
          <xsl:when test="key('fact', 'update-server')"/>
          <xsl:when test="key('list', 'removed|')/item"><xsl:call-template name="tick"><xsl:with-param name="id">summary-server-empty</xsl:with-param></xsl:call-template></xsl:when>
          <xsl:otherwise><xsl:call-template name="tick"><xsl:with-param name="id">server-unchanged</xsl:with-param></xsl:call-template></xsl:otherwise>
        </xsl:choose>
        <xsl:if test="not(key('list', 'tests|')/item)"><xsl:call-template name="tick"><xsl:with-param name="id">check-untested</xsl:with-param></xsl:call-template></xsl:if>
        <xsl:call-template name="tick"><xsl:with-param name="id">check-alternative</xsl:with-param></xsl:call-template>
      </tbody>
    </table>
  </xsl:template>

  <xsl:template name="test">
    <xsl:param name="id"/>
    <tr>
      <td><xsl:call-template name="clause-text"><xsl:with-param name="id" select="$id"/></xsl:call-template></td>
      <td class="choice">
        <span class="boxes">☐</span><xsl:text> </xsl:text><xsl:call-template name="term"><xsl:with-param name="id">passed</xsl:with-param></xsl:call-template><xsl:text>  </xsl:text>
        <span class="boxes">☐</span><xsl:text> </xsl:text><xsl:call-template name="term"><xsl:with-param name="id">failed</xsl:with-param></xsl:call-template><xsl:text>  </xsl:text>
        <span class="boxes">☐</span><xsl:text> </xsl:text><xsl:call-template name="term"><xsl:with-param name="id">not-done</xsl:with-param></xsl:call-template>
      </td>
      <td class="blank"></td>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="tests">
    <xsl:call-template name="h2"><xsl:with-param name="n">5</xsl:with-param><xsl:with-param name="id">h-test-checks</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">test-checks-intro</xsl:with-param></xsl:call-template>
    <table>
      <thead><tr>
        <xsl:call-template name="th"><xsl:with-param name="id">test</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">outcome</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">tested-by</xsl:with-param></xsl:call-template>
      </tr></thead>
      <tbody>
        <xsl:call-template name="test"><xsl:with-param name="id">test-fresh</xsl:with-param></xsl:call-template>
        <xsl:call-template name="test"><xsl:with-param name="id">test-upgrade</xsl:with-param></xsl:call-template>
        <xsl:call-template name="test"><xsl:with-param name="id">test-activation</xsl:with-param></xsl:call-template>
        <xsl:call-template name="test"><xsl:with-param name="id">test-server</xsl:with-param></xsl:call-template>
        <xsl:if test="key('list', 'removed|')/item"><xsl:call-template name="test"><xsl:with-param name="id">test-removed</xsl:with-param></xsl:call-template></xsl:if>
        <xsl:call-template name="test"><xsl:with-param name="id">test-next-update</xsl:with-param></xsl:call-template>
        <xsl:call-template name="test"><xsl:with-param name="id">test-applications</xsl:with-param></xsl:call-template>
      </tbody>
    </table>
  </xsl:template>

  <xsl:template name="choice">
    <xsl:param name="id"/>
    <xsl:param name="fill"/>
    <li>
      <span class="boxes">☐</span><xsl:text> </xsl:text>
      <xsl:call-template name="clause-text"><xsl:with-param name="id" select="$id"/></xsl:call-template>
      <xsl:if test="$fill"><span class="fill"></span></xsl:if>
    </li>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="decision">
    <xsl:call-template name="h2"><xsl:with-param name="n">6</xsl:with-param><xsl:with-param name="id">h-decision</xsl:with-param></xsl:call-template>
    <ul class="decision">
      <xsl:call-template name="choice"><xsl:with-param name="id">decision-accept</xsl:with-param></xsl:call-template>
      <xsl:call-template name="choice"><xsl:with-param name="id">decision-reserve</xsl:with-param><xsl:with-param name="fill">yes</xsl:with-param></xsl:call-template>
      <xsl:call-template name="choice"><xsl:with-param name="id">decision-refuse</xsl:with-param><xsl:with-param name="fill">yes</xsl:with-param></xsl:call-template>
    </ul>
  </xsl:template>

  <xsl:template name="signatures">
    <xsl:call-template name="h2"><xsl:with-param name="n">7</xsl:with-param><xsl:with-param name="id">h-signatures</xsl:with-param></xsl:call-template>
    <xsl:choose>
      <xsl:when test="key('list', 'approvals|')/item">
        <xsl:call-template name="p"><xsl:with-param name="id">approvals-intro</xsl:with-param></xsl:call-template>
        <table class="roles">
          <thead><tr>
            <xsl:call-template name="th"><xsl:with-param name="id">role</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">opinion</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">name</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">signature</xsl:with-param></xsl:call-template>
            <xsl:call-template name="th"><xsl:with-param name="id">date</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody>
            <xsl:for-each select="key('list', 'approvals|')/item">
              <tr>
                <th scope="row"><xsl:call-template name="word"><xsl:with-param name="kind">role</xsl:with-param><xsl:with-param name="word" select="name"/></xsl:call-template></th>
                <td class="choice">
                  <span class="boxes">☐</span><xsl:text> </xsl:text><xsl:call-template name="term"><xsl:with-param name="id">agree</xsl:with-param></xsl:call-template><br/>
                  <span class="boxes">☐</span><xsl:text> </xsl:text><xsl:call-template name="term"><xsl:with-param name="id">disagree</xsl:with-param></xsl:call-template>
                </td>
                <td class="blank"></td><td class="blank"></td><td class="blank"></td>
              </tr>
            </xsl:for-each>
          </tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="p"><xsl:with-param name="id">approvals-none</xsl:with-param></xsl:call-template></xsl:otherwise>
    </xsl:choose>
    <xsl:call-template name="both-sign"/>
  </xsl:template>
</xsl:stylesheet>
