package import Packets

/// A host whose neighbour discovery is diverted to a program that does not answer is cut off from its links, and `divert …
/// ip from any to any` means the traffic, not that. So a rule diverts neighbour discovery only where it names ICMPv6.
extension Rule {
  /// Whether neighbour discovery passes by the rule as if it did not match.
  package var sparesNeighbourDiscovery: Bool {
    guard case .divert = action else { return false }
    return !clauses.contains { clause in
      clause.terms.contains { $0.test == .protocolNumber(58) && !$0.negated }
    }
  }
}

extension PacketFields {
  /// Router and neighbour solicitations and advertisements, and redirects (RFC 4861 §4).
  package var isNeighbourDiscovery: Bool {
    guard case .icmp = transport else { return false }
    return version == 6 && (133...137).contains(icmpType)
  }
}
