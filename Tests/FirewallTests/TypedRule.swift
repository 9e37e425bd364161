import Firewall
import TestSupport

/// Random rules as somebody might type them, from the tables of the language: each word, every form, any combination that
/// ipfw takes.
struct TypedRule {
  private(set) var words: [String] = []
  private var random: SeededGenerator

  init(_ random: SeededGenerator) {
    self.random = random
    words += number() + prefixes() + action() + modifiers()
    if chance(2) {
      words += fromTo() + options(count: pick(0...4), isFirst: false)
    } else {
      words += options(count: pick(1...5), isFirst: true)
    }
    if chance(4) { words += ["//", "why", "\(pick(0...99))", "{", "not"].prefix(pick(1...5)) }
  }

  var text: String { words.joined(separator: " ") }

  // MARK: Before the body

  private mutating func number() -> [String] { chance(2) ? ["\(pick(0...65534))"] : [] }

  private mutating func prefixes() -> [String] {
    (chance(3) ? ["set", "\(pick(0...31))"] : [])
      + (chance(3) ? ["prob", any(["0.5", ".25", "1", "1e-6", "0.\(pick(1...999_999))"])] : [])
  }

  private mutating func action() -> [String] {
    let row = any(ActionKind.table)
    let word = any(row.words)
    return switch row.argument {
    case .none: [word]
    case .divertPort: [word, any(["natd", "\(pick(1...65534))"])]
    case .ruleNumber: [word, "\(pick(1...65534))"]
    }
  }

  private mutating func modifiers() -> [String] {
    guard chance(3) else { return [] }
    return ["log"] + (chance(2) ? ["logamount", "\(pick(0...9))"] : [])
  }

  // MARK: PROTO from … to …

  private mutating func fromTo() -> [String] {
    let proto = any(["ip", "all", "ip4", "ipv4", "ip6", "ipv6", "tcp", "udp", "icmp", "icmp6", "17", "200"])
    let isList = chance(5)
    var words = isList ? block { $0.any(["tcp", "udp", "ip4", "ip6", "132", "udplite"]) } : negated([proto])
    // names of ports are looked up in the protocol that was named
    let hasServices = !isList && ["ip", "tcp", "udp"].contains(proto)
    for keyword in ["from", "to"] {
      words.append(keyword)
      if chance(5) {
        words += block { $0.address() }
      } else {
        words += negated([chance(4) ? "any" : address()])
      }
      if chance(3) { words += negated([chance(6) ? "any" : ports(withServices: hasServices)]) }
    }
    return words
  }

  private mutating func address() -> String { chance(2) ? address4() : address6() }

  private mutating func address4() -> String {
    func one(_ self: inout Self) -> String {
      let address = (0..<4).map { _ in "\(self.pick(0...255))" }.joined(separator: ".")
      return address + self.any(["", "", "/\(self.pick(1...32))", ":255.0.255.0", ":255.255.0.0"])
    }
    switch pick(0...4) {
    case 0: return "me"
    case 1: return (0...pick(1...5)).map { _ in one(&self) }.joined(separator: ",")
    case 2:
      return "10.1.2.3\(any(["", "/24"])){\((0...pick(0...6)).map { _ in hosts() }.joined(separator: ","))}"
    case 3: return "10.0.0.64/28{64,\(pick(65...79)),70-75}"
    default: return one(&self)
    }
  }

  private mutating func hosts() -> String {
    let low = pick(0...255)
    return chance(2) ? "\(low)" : "\(low)-\(pick(low...255))"
  }

  private mutating func address6() -> String {
    let all = [
      "::1", "fe80::1/10", "2001:db8::7/64", "::ffff:10.0.0.1", "2001:db8:1:2:3:4:5:6/127", "::1/ff::ff",
    ]
    return chance(5) ? "me6" : (0...pick(0...3)).map { _ in any(all) }.joined(separator: ",")
  }

  private mutating func ports(withServices: Bool = false) -> String {
    (0...pick(0...4)).map { _ in
      let low = pick(0...65535)
      let ranges = ["\(low)", "\(low)-\(pick(low...65535))", "\(low)-\(low)"]
      return any(withServices ? ranges + ["domain", "discard-domain"] : ranges)
    }.joined(separator: ",")
  }

  // MARK: Options

  /// - Parameter isFirst: The body begins with them: there a version of IP would be read as a protocol.
  private mutating func options(count: Int, isFirst: Bool) -> [String] {
    var words: [String] = []
    for index in 0..<count {
      let isFirst = isFirst && index == 0
      if chance(4) {
        let (open, or, close) = any([("{", "or", "}"), ("(", "|", ")"), ("{", "|", "}")])
        words.append(open)
        for member in 0...pick(0...2) {
          words +=
            (member > 0 ? [or] : [])
            + negated(option(inBlock: true, isFirst: isFirst && member == 0), mark: true)
        }
        words.append(close)
      } else {
        words += negated(option(inBlock: false, isFirst: isFirst), mark: true)
      }
    }
    return words
  }

  private mutating func option(inBlock: Bool, isFirst: Bool) -> [String] {
    let row = any(RuleOption.table)
    // `ip4` and `ip6` would be a protocol
    if isFirst, row.field == .version { return option(inBlock: inBlock, isFirst: isFirst) }
    let word = any(row.words)
    // what asks nothing is no member of a block
    let anything = inBlock ? [] : ["any"]
    switch row.operand {
    case .none: return [word]
    case .interface:
      return [word, any(["eth0", "tun*", "wg[0-9]?", "192.0.2.1", "averylonginterface0"] + anything)]
    case .protocolNumber:
      return [word, any(["tcp", "udp", "icmp6", "47", "gre"] + (inBlock ? [] : ["ip", "all"]))]
    case .addresses4: return [word, any([address4()] + anything)]
    case .addresses6: return [word, any([address6(), "me"] + anything)]
    case .ports: return [word, any([ports()] + anything)]
    case .bitSet: return [word, (0...pick(0...4)).map { _ in "\(pick(0...31))" }.joined(separator: ",")]
    case .flags(let names, _, let bare, _):
      return bare != nil && chance(3) ? [word] : [word, flags(names)]
    }
  }

  private mutating func flags(_ table: Keywords<UInt8>) -> String {
    (0...pick(0...3)).map { _ in (chance(2) ? "!" : "") + any(table.entries).word }.joined(separator: ",")
  }

  // MARK: Chance

  private mutating func block(_ member: (inout Self) -> String) -> [String] {
    let (open, close) = any([("{", "}"), ("(", ")")])
    var words = [open]
    for index in 0...pick(0...2) { words += (index > 0 ? ["or"] : []) + negated([member(&self)]) }
    return words + [close]
  }

  /// - Parameter mark: `!` before the word will do, too.
  private mutating func negated(_ words: [String], mark: Bool = false) -> [String] {
    guard chance(4) else { return words }
    return mark && chance(2) ? ["!" + words[0]] + words.dropFirst() : ["not"] + words
  }

  private mutating func chance(_ oneIn: Int) -> Bool { pick(1...oneIn) == 1 }
  private mutating func pick(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
  private mutating func any<Element>(_ elements: [Element]) -> Element {
    elements[pick(0...(elements.count - 1))]
  }
}
