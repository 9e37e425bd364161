extension Test {
  /// The option by which the test is listed.
  package var option: RuleOption {
    switch self {
    case .version(let version): version == 4 ? .version4 : .version6
    case .protocolNumber: .protocolNumber
    case .source(let match): match.isVersion6 ? .source6 : .source
    case .destination(let match): match.isVersion6 ? .destination6 : .destination
    case .sourcePort: .sourcePort
    case .destinationPort: .destinationPort
    case .direction(.incoming): .incoming
    case .direction(.outgoing): .outgoing
    case .received: .received
    case .transmitted: .transmitted
    case .via: .via
    case .icmpTypes: .icmpTypes
    case .tcpFlags(let match): match == .setup ? .setup : .tcpFlags
    case .established: .established
    case .fragment: .fragment
    case .diverted(nil): .diverted
    case .diverted(.incoming): .divertedLoopback
    case .diverted(.outgoing): .divertedOutput
    }
  }
}

extension AddressMatch {
  /// Whether no IPv4 address matches.
  fileprivate var isVersion6: Bool {
    switch self {
    case .me6, .network6, .networks6: true
    case .me, .network4, .networks4, .set4: false
    }
  }
}
