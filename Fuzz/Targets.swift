import Captures
import DivertWire
import Firewall
import Packets

/// Rules as they stand in a file. What can be read and printed must read the same again.
func rules(_ bytes: [UInt8]) {
  let text = String(decoding: bytes, as: UTF8.self)
  let before = RuleSet(default: .allow)
  guard let ruleSet = try? RuleFile.load(text: text, into: before, names: .builtIn) else { return }
  let printer = RulePrinter(names: .builtIn)
  for entry in ruleSet.entries.dropLast() {
    let line = "add \(printer.line(entry.rule))"
    guard let again = try? RuleFile.load(text: line, into: before, names: .builtIn) else {
      fatalError("listed, but not understood: \(line)")
    }
    guard again.entries.count == 2, printer.line(again.entries[0].rule) == printer.line(entry.rule) else {
      fatalError("listed, but understood as something else: \(line)")
    }
  }
}

/// A packet through all that reads one, then through all that changes one.
func packets(_ bytes: [UInt8]) {
  let packet = bytes.span.bytes
  let fields = PacketFields(parsing: packet)
  precondition(fields.length <= bytes.count)
  for count in [0, 20, 33, 41, 53, 60] where count < bytes.count {
    // the beginning of a packet shows a part of it, or less; that some fragment is none, the whole alone may tell
    let part = PacketFields(parsing: packet.extracting(first: count), wireLength: bytes.count)
    guard part.isReadable && fields.isReadable else { continue }
    precondition(part.length == fields.length && part.version == fields.version)
    precondition(part.transport != .ports || part.destinationPort == fields.destinationPort)
  }
  precondition(!PacketSummary.summary(of: packet).isEmpty)
  _ = Checksum.of(packet)
  _ = Checksum.transport(of: packet)
  _ = Reinjection.refusal(of: packet, outgoing: true)
  precondition(Reinjection.length(of: packet) <= bytes.count)
  readTransport(packet)

  var copy = bytes
  var span = copy.mutableSpan
  var writable = span.mutableBytes
  if Checksum.updateTransport(of: &writable) {
    precondition(Checksum.isTransportValid(in: writable.bytes) == true)
  }
  correct(&writable)
  if let ip = try? IPv4(writable.bytes) { precondition(ip.isHeaderChecksumValid) }
}

/// Packets, a length byte before each, as fragments that wait for each other; and each one cut to sizes.
func fragments(_ bytes: [UInt8]) {
  var limits = FragmentQueue<Int>.Limits()
  (limits.datagrams, limits.datagramsPerSource, limits.fragmentsPerDatagram, limits.bytes) = (8, 4, 6, 2000)
  var queue = FragmentQueue<Int>(limits: limits)
  var rest = bytes[...]
  var number = 0
  while let count = rest.popFirst() {
    let packet = Array(rest.prefix(Int(count)))
    rest = rest.dropFirst(Int(count))
    number += 1
    let now = UInt64(number) * 1_000_000_000
    if case .complete(let datagram) = queue.add(packet.span.bytes, number, domain: count & 1, now: now) {
      guard let whole = datagram.assembled() else { fatalError("whole, but not to be put together") }
      precondition(whole.count <= 65_575)
    }
    for datagram in queue.takeEvicted() + queue.takeExpired(now: now) { precondition(!datagram.isWhole) }
    precondition(queue.heldBytes <= limits.bytes && queue.heldDatagrams <= limits.datagrams)
    for mtu in [28, 60, 68] {
      let pieces = Fragmenting.fragments(of: packet.span.bytes, mtu: mtu, identification: 7) ?? []
      precondition(pieces.allSatisfy { $0.count <= mtu })
      putTogether(pieces, mtu)
    }
  }
}

/// What was cut here can be put together again.
private func putTogether(_ pieces: [[UInt8]], _ mtu: Int) {
  guard pieces.count > 1, let first = pieces.first, let last = pieces.last,
    let firstHeader = try? IPv4(first.span.bytes), let lastHeader = try? IPv4(last.span.bytes),
    firstHeader.fragmentOffset == 0, !lastHeader.moreFragments
  else { return }
  var queue = FragmentQueue<Void>()
  for piece in pieces.dropLast() {
    guard case .held = queue.add(piece.span.bytes, (), domain: 0, now: 0) else { return }
  }
  guard case .complete = queue.add(last.span.bytes, (), domain: 0, now: 0) else {
    fatalError("cut to \(mtu), and not put together")
  }
}

private func correct(_ packet: inout MutableRawSpan) {
  guard var ip = try? MutableIPv4(&packet) else { return }
  ip.updateChecksums()
}

private func readTransport(_ bytes: RawSpan) {
  if let tcp = try? TCP(bytes) {
    precondition(tcp.options.byteCount + tcp.payload.byteCount < bytes.byteCount)
  }
  if let udp = try? UDP(bytes) { precondition(udp.payload.byteCount + 8 <= bytes.byteCount) }
  if let icmp = try? ICMP(bytes) { _ = (icmp.identifier, icmp.sequenceNumber) }
}

/// A header that can be read is written as it was, but for flags that mean nothing.
func frames(_ bytes: [UInt8]) {
  guard let header = FrameHeader(parsing: bytes.span.bytes) else { return }
  var written = [UInt8](repeating: 0, count: FrameHeader.packetOffset)
  var span = written.mutableSpan
  var writable = span.mutableBytes
  header.write(to: &writable)
  precondition(FrameHeader(parsing: writable.bytes) == header)
}

/// A stream of messages: each one is written as it was read.
func controlMessages(_ bytes: [UInt8]) {
  var rest = bytes
  while let message = try? ControlMessage.next(from: &rest) {
    // Counts may have been sent with zeros at their end, which are not written: the bytes may differ, what they say may not.
    var again = message.bytes
    precondition((try? ControlMessage.next(from: &again)) == message && again.isEmpty)
  }
}

/// A capture, each packet judged as `divert replay` does.
func captures(_ bytes: [UInt8]) {
  guard var reader = try? CaptureReader(bytes: bytes) else { return }
  while (try? reader.advance()) == true {
    let frame = reader.frame
    precondition(frame.bytes.byteCount <= frame.wireLength)
    guard let offset = frame.linkType.packetOffset(in: frame.bytes) else { continue }
    let packet = frame.bytes.extracting(droppingFirst: offset)
    let fields = PacketFields(parsing: packet, wireLength: frame.wireLength - offset)
    precondition(fields.length <= frame.wireLength)
  }
}
