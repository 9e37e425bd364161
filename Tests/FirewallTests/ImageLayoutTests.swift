import Firewall
import TestSupport
import Testing

/// docs/rule-image.md has the numbers that both evaluators go by.
struct ImageLayoutTests {
  static let places: [(name: String, place: Int)] = [
    ("Block.identity", ImageLayout.Block.identity), ("Block.sets", ImageLayout.Block.sets),
    ("Block.sections", ImageLayout.Block.sections), ("Block.moreSections", ImageLayout.Block.moreSections),
    ("Block.bitNumbers", ImageLayout.Block.bitNumbers), ("Block.size", ImageLayout.Block.size),
    ("Section.count", ImageLayout.Section.count), ("Section.rules", ImageLayout.Section.rules),
    ("Section.dimensions", ImageLayout.Section.dimensions), ("Section.records", ImageLayout.Section.records),
    ("Section.combinations", ImageLayout.Section.combinations), ("Section.all", ImageLayout.Section.all),
    ("Section.size", ImageLayout.Section.size), ("Rule.identity", ImageLayout.Rule.identity),
    ("Rule.argument", ImageLayout.Rule.argument), ("Rule.steps", ImageLayout.Rule.steps),
    ("Rule.next", ImageLayout.Rule.next), ("Rule.size", ImageLayout.Rule.size),
    ("Prefixes.first32", ImageLayout.Prefixes.first32), ("Prefixes.first128", ImageLayout.Prefixes.first128),
    ("Prefixes.field", ImageLayout.Prefixes.field), ("Node.mask32", ImageLayout.Node.mask32),
    ("Node.mask128", ImageLayout.Node.mask128), ("Node.hash32", ImageLayout.Node.hash32),
    ("Node.hash128", ImageLayout.Node.hash128), ("Node.next32", ImageLayout.Node.next32),
    ("Node.next128", ImageLayout.Node.next128), ("Class.summary", ImageLayout.Class.summary),
    ("Class.base", ImageLayout.Class.base), ("Class.changedGroups", ImageLayout.Class.changedGroups),
    ("Class.groups", ImageLayout.Class.groups),
  ]

  @Test func `the page names every place, and by the right number`() throws {
    let page = try readPage("docs/rule-image.md")
    var named: [String: Int] = [:]
    for match in page.matches(of: /`([A-Z][a-z]+\.[A-Za-z0-9]+)`[ \n]([0-9]+)/) {
      named[String(match.1)] = Int(match.2)
    }
    for (name, place) in Self.places { #expect(named[name] == place, "\(name)") }
    #expect(named.count == Self.places.count)
  }

  @Test func `the page has the numbers of actions and dimensions`() throws {
    let page = try readPage("docs/rule-image.md")
    let actions: [(ImageAction, String)] = [
      (.allow, "0 allow"), (.deny, "1 deny"), (.count, "2 count"), (.divert, "3 divert"), (.tee, "4 tee"),
      (.skipto, "5 skipto"), (.wait, "6 wait"), (.waitForPort, "7 wait if"),
    ]
    for (action, text) in actions { #expect(text.hasPrefix("\(action.rawValue) ") && page.contains(text)) }
    let dimensions: [(Dimension, String)] = [
      (.protocolNumber, "| 0 protocol"), (.destinationPort, "| 1 destination port"),
      (.sourcePort, ", 2 source port"),
      (.destination, "| 3 destination"), (.source, ", 4 source"), (.receive, "| 5 receive"),
      (.transmit, ", 6 transmit"), (.via, ", 7 that of the pass"), (.tcpFlags, "| 8 TCP flags"),
      (.icmpType, "| 9 ICMP type"), (.fragment, "| 10 fragment"), (.local, "| 11 local"),
      (.pass, "| 12 pass"),
      (.mask0, "| 13 to 19"),
    ]
    for (dimension, text) in dimensions {
      #expect(text.contains("\(dimension.rawValue) ") && page.contains(text), "\(dimension)")
    }
    #expect(page.contains("0x03f79d71b4cb0a89") && ImageLayout.bitMultiplier == 0x03f7_9d71_b4cb_0a89)
    #expect(page.contains("0x49525644") && ImageLayout.magic == 0x4952_5644)
  }

  /// What a position is found by lies where both evaluators look for it.
  @Test func `an image begins with its numbers`() {
    let image = RuleImage(ruleSet: RuleSet(default: .allow), host: HostView())
    #expect(
      image.words[ImageLayout.Block.identity] == UInt64(ImageLayout.version) << 32 | UInt64(ImageLayout.magic)
    )
    #expect(image.words[ImageLayout.Block.sets] >> 32 == UInt64(image.words.count))
    for bit in UInt64(0)..<64 {
      let index = Int(((1 << bit) &* ImageLayout.bitMultiplier) >> 58)
      let word = image.words[ImageLayout.Block.bitNumbers + index / 8]
      #expect(word >> UInt64(index % 8 * 8) & 0xff == bit)
    }
  }
}
