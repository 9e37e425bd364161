import Firewall
import Testing

struct KeywordsTests {
  @Test func `every meaning prints to a word that reads back`() {
    for (_, meaning) in Grammar.actions.entries {
      #expect(Grammar.actions.meaning(of: Grammar.actions.word(for: meaning)) == meaning)
    }
    for (_, meaning) in Grammar.options.entries {
      #expect(Grammar.options.meaning(of: Grammar.options.word(for: meaning)) == meaning)
    }
  }

  @Test func `no word stands in a table twice`() {
    let actions =
      Grammar.actions.entries.map(\.word)
      + (Grammar.modifiers.entries + Grammar.prefixes.entries + Grammar.logOptions.entries).map(\.word)
    #expect(Set(actions).count == actions.count)
    let options = Grammar.options.entries.map(\.word)
    #expect(Set(options).count == options.count)
  }

  @Test(
    arguments: [
      ("tcp", 6), ("TCP", 6), ("icmp6", 58), ("ipv6-icmp", 58), ("mine", 251), ("alias", 251), ("ip", nil),
      ("hopopt", nil), ("nosuch", nil),
    ] as [(String, UInt8?)])
  func `protocols have built-in names and those of the file`(name: String, number: UInt8?) {
    var names = Names.builtIn
    names.add(
      protocolsFile: "# comment\nhopopt 0 HOPOPT\nmine\t251 alias # more\ntcp 99\nbad\nworse x\nbig 256\n")
    #expect(names.protocolNumber(name) == number)
  }

  @Test func `services have built-in names and those of the file`() {
    var names = Names.builtIn
    names.add(
      servicesFile:
        "mine 4000/tcp alias\nmine 4001/udp # c\nips 2001/divert\nhttp 81/tcp\nbad 5\nbig 65536/tcp\n")
    #expect(names.port(ofService: "mine", nil) == 4000)
    #expect(names.port(ofService: "mine", "udp") == 4001)
    #expect(names.port(ofService: "alias", "tcp") == 4000)
    #expect(names.port(ofService: "alias", "udp") == nil)
    #expect(names.port(ofService: "ips", "divert") == 2001)
    #expect(names.port(ofService: "natd", "divert") == 8668)
    #expect(names.port(ofService: "http", nil) == 80)
    #expect(names.port(ofService: "big", nil) == nil)
    #expect(names.service(onPort: 4001, "udp") == "mine")
    #expect(names.service(onPort: 4001, "tcp") == nil)
    #expect(names.service(onPort: 443, nil) == "https")
  }
}
