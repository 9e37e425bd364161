import Testing

/// Words of ipfw(8) that this program does not know yet, with their arguments, wherever a rule may hold them. They are
/// written down here and not taken from the grammar, which might have forgotten one.
extension RuleRefusal {
  private static let actions = """
    reject, unreach host, unreach 13, unreach needfrag 1420, unreach6 no-route, reset, reset6, abort, abort6, call 500,
    return, fwd 192.0.2.1, fwd 192.0.2.1:80, forward :80, check-state, check-state :any, setfib 1, setdscp be,
    setmark 1, reass, pipe 1, queue 1, nat 1, nat global, netgraph 1, ngtee 1, tcp-setmss 1400, eaction nptv6 one,
    nat64lsn one, nat64stl one, nat64clat one, nptv6 one, skip-action
    """

  private static let modifiers = "tag 1, untag 1, altq fast"

  private static let options = """
    ipid 1, ipttl 64, iplen 40-100, tcpdatalen 0, tcpwin 5, tcpmss 536, tagged 1, ipoptions ssrr, ipopts rr,
    iptos lowdelay, ipprecedence 0, precedence 7, dscp af11, ipver 4, ipversion 4, tcpseq 1, tcpack 1,
    tcpoptions mss, tcpopts sack, icmp6types 128, icmp6type 129, keep-state, keep-state :web, record-state,
    limit src-addr 2, set-limit src-addr 2, uid root, gid wheel, jail 1, verrevpath, versrcreach, antispoof, layer2,
    bridged, mac any any, MAC any any, mac-type ipv4, lookup dst-ip 1, lookup dst-port ports, flow table(1), fib 1,
    sockarg, ipsec, flow-id 1, ext6hdr frag, defer-action, defer-immediate-action, mark 1
    """

  /// Keyword and place, of which the second is what is not there.
  private static let tables = """
    recv table(1), xmit table(out,1), via table(1), src-ip table(1), dst-ip table(hosts,5), src-ip6 table(1),
    dst-ip6 table(six)
    """

  private static let optionPlaces = [
    "allow WORDS", "allow ip from any to any WORDS", "allow tcp from me 80 to any 80 in not WORDS // text",
    "allow in !WORDS", "allow { in or WORDS }", "allow ( not WORDS | in )", "allow { WORDS }",
    "allow ip6 from any to me6 { recv em0 or not WORDS or in }",
  ]

  private static let addressPlaces = [
    "allow ip from WORDS to any", "allow ip from any to not WORDS", "deny tcp from WORDS 80 to any",
    "allow ip from { 10.0.0.1 or not WORDS } to any", "allow ip from any to {WORDS or 10.0.0.1 }",
    "allow ip6 from ::1 to WORDS",
  ]

  package static let notYet: [RuleRefusal] = {
    var rows: [RuleRefusal] = []
    func add(_ places: [String], _ words: [String], _ missing: String) {
      for place in places {
        let text = place.replacing("WORDS", with: words.joined(separator: " "))
        rows.append(RuleRefusal(text, 69, "not supported yet: \(missing)"))
      }
    }
    for words in words(actions) {
      add(
        [
          "WORDS", "WORDS // text", "WORDS ip from any to any",
          "5 set 3 prob 0.5 WORDS log tcp from me to any 80",
        ],
        words, words[0])
    }
    for words in words(modifiers) {
      add(
        ["allow WORDS in", "allow WORDS log in", "allow WORDS ip from any to any", "divert 5 log WORDS in"],
        words, words[0])
    }
    for words in words(options) { add(optionPlaces, words, words[0]) }
    for words in words(tables) { add(optionPlaces, words, words[1]) }
    for table in ["table(1)", "table(hosts,5)"] { add(addressPlaces, [table], table) }
    for action in ["skipto", "divert", "tee"] { add(["\(action) WORDS in"], ["tablearg"], "tablearg") }
    return rows
  }()

  private static func words(_ list: String) -> [[String]] {
    list.split(separator: ",\n").flatMap { $0.split(separator: ", ") }
      .map { $0.split { $0.isWhitespace }.map(String.init) }
  }
}
