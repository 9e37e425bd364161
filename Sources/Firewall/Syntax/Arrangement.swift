/// Which clauses of a rule are listed within `PROTO from … to …`, and which behind, as options.
///
/// ipfw lists options about protocol, addresses and ports in the from/to part when that part says nothing of
/// their kind: `ip from any to any dst-port 80` becomes `ip from any to any 80` (ipfw2.c, `print_address`,
/// `print_proto`). Of several clauses of a kind the first goes there, of several about ports none.
struct Arrangement {
  var proto: Clause?
  var source: Clause?
  var sourcePort: Clause?
  var destination: Clause?
  var destinationPort: Clause?
  var options: [Clause] = []

  private enum Kind { case proto, source, sourcePort, destination, destinationPort, option }

  init(_ clauses: [Clause]) {
    let kinds = clauses.map(Self.kind)
    // `tcp from any to any ip6` is listed as `ip6 from any to any proto tcp`
    let version = clauses.indices.first { index in
      kinds[index] == .proto
        && clauses[index].terms.contains { if case .version = $0.test { true } else { false } }
    }
    let protoIndex = version ?? kinds.firstIndex(of: .proto)
    let sourceIndex = kinds.firstIndex(of: .source)
    let destinationIndex = kinds.firstIndex(of: .destination)
    let sourcePortIndex = Self.onlyIndex(of: .sourcePort, kinds, clauses)
    let destinationPortIndex = Self.onlyIndex(of: .destinationPort, kinds, clauses)
    for (index, clause) in clauses.enumerated() {
      switch index {
      case protoIndex: proto = clause
      case sourceIndex: source = clause
      case sourcePortIndex: sourcePort = clause
      case destinationIndex: destination = clause
      case destinationPortIndex: destinationPort = clause
      default: options.append(clause)
      }
    }
  }

  /// In the order of listing.
  var clauses: [Clause] {
    [proto, source, sourcePort, destination, destinationPort].compactMap(\.self) + options
  }

  /// Neither protocol nor address nor port is asked for.
  var isAnyToAny: Bool {
    proto == nil && source == nil && sourcePort == nil && destination == nil && destinationPort == nil
  }

  /// Blocks that ask for several kinds are options.
  private static func kind(_ clause: Clause) -> Kind {
    let kinds = clause.terms.map { kind($0.test) }
    guard let first = kinds.first, kinds.allSatisfy({ $0 == first }) else { return .option }
    return first
  }

  private static func kind(_ test: Test) -> Kind {
    switch test {
    case .version, .protocolNumber: .proto
    case .source: .source
    case .destination: .destination
    case .sourcePort: .sourcePort
    case .destinationPort: .destinationPort
    case .direction, .received, .transmitted, .via, .icmpTypes, .tcpFlags, .established, .fragment, .diverted:
      .option
    }
  }

  private static func onlyIndex(of kind: Kind, _ kinds: [Kind], _ clauses: [Clause]) -> Int? {
    let tests = clauses.flatMap(\.terms).filter { Self.kind($0.test) == kind }
    guard tests.count == 1 else { return nil }
    return clauses.indices.first { kinds[$0] == kind && clauses[$0].terms.count == 1 }
  }
}
