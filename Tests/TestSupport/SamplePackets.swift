package import Packets

/// Packets by their meaning, for tests of what is done with them.
package enum Sample {
  /// A whole IP packet; the version is that of the addresses. Addresses must be of one version.
  package static func packet(
    _ protocolNumber: UInt8, _ source: String, _ destination: String, _ payload: [UInt8],
    fragmentOffset: Int = 0, moreFragments: Bool = false
  ) throws -> [UInt8] {
    if let source = IPv6Address(source), let destination = IPv6Address(destination) {
      var bytes = [UInt8](repeating: 0, count: 40) + payload
      var span = bytes.mutableRawSpan
      try IPv6Header(source: source, destination: destination, nextHeader: protocolNumber)
        .write(to: &span, payloadLength: payload.count)
      Checksum.updateTransport(of: &span)
      return bytes
    }
    guard let source = IPv4Address(source), let destination = IPv4Address(destination) else {
      fatalError("no addresses: \(source), \(destination)")
    }
    var bytes = [UInt8](repeating: 0, count: 20) + payload
    var span = bytes.mutableRawSpan
    var header = IPv4Header(source: source, destination: destination, protocolNumber: protocolNumber)
    (header.fragmentOffset, header.moreFragments) = (fragmentOffset, moreFragments)
    try header.write(to: &span, payloadLength: payload.count)
    Checksum.updateTransport(of: &span)
    return bytes
  }

  package static func udp(
    _ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16,
    _ data: [UInt8] = []
  ) throws -> [UInt8] {
    var datagram = [UInt8](repeating: 0, count: 8) + data
    var span = datagram.mutableRawSpan
    try UDPHeader(sourcePort: sourcePort, destinationPort: destinationPort)
      .write(to: &span, payloadLength: data.count)
    return try packet(17, source, destination, datagram)
  }

  package static func tcp(
    _ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16,
    _ flags: TCPFlags = .syn, _ data: [UInt8] = []
  ) throws -> [UInt8] {
    var segment = [UInt8](repeating: 0, count: 20) + data
    var span = segment.mutableRawSpan
    try TCPHeader(sourcePort: sourcePort, destinationPort: destinationPort, flags: flags).write(to: &span)
    return try packet(6, source, destination, segment)
  }

  /// ICMP or ICMPv6, as the addresses are.
  package static func icmp(
    _ source: String, _ destination: String, type: UInt8, code: UInt8 = 0, _ data: [UInt8] = []
  ) throws -> [UInt8] {
    var message = [UInt8](repeating: 0, count: 8) + data
    var span = message.mutableRawSpan
    try ICMPHeader(type: type, code: code).write(to: &span)
    return try packet(IPv6Address(source) == nil ? 1 : 58, source, destination, message)
  }
}
