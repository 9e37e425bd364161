import Firewall

/// Rule sets as people have them, none of which matches the benchmark's packets.
enum Kind: String, CaseIterable {
  /// A block list of addresses.
  case hosts
  /// A block list of networks of many sizes.
  case networks
  /// A port of a network each.
  case services
  case mixed
  /// What no index helps with: each rule has to be asked.
  case negations

  func rules(_ count: Int) throws(RuleError) -> RuleSet {
    var rules = RuleSet(default: .allow)
    var random = Numbers()
    for number in 0..<count {
      let text = rule(number, &random)
      try rules.add(Rule("\((number + 1) * min(100, 65_000 / max(1, count))) \(text)", names: .builtIn))
    }
    return rules
  }

  private func rule(_ number: Int, _ random: inout Numbers) -> String {
    let address = "10.\(random.next(256)).\(random.next(256)).\(random.next(256))"
    switch self {
    case .hosts: return "deny ip from \(address) to any"
    case .networks: return "deny ip from \(address)/\(16 + random.next(17)) to any"
    case .services:
      return "deny tcp from any to 198.51.\(random.next(256)).0/24 \(1 + random.next(30_000))"
    case .negations: return "deny not tcp from not 192.0.2.0/24 to not \(address)"
    case .mixed:
      switch number % 8 {
      case 0, 1: return "deny ip from \(address) to any"
      case 2: return "deny ip from \(address)/\(16 + random.next(17)) to any"
      case 3: return "count udp from any to \(address)/24 \(1 + random.next(30_000))"
      case 4: return "deny tcp from any to 198.51.100.0/24 \(1 + random.next(30_000)) in"
      case 5: return "allow tcp from any to \(address) 80,443 setup"
      case 6:
        return
          "deny udp from { \(address) or 10.0.0.1 } to any \(random.next(1000))-\(1000 + random.next(1000))"
      default: return "deny tcp from \(address)/\(20 + random.next(12)) to any established out"
      }
    }
  }
}
