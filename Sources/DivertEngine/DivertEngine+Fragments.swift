import DivertWire
import Firewall
import Packets

/// divert(4): "Incoming packet fragments which get diverted are fully reassembled before delivery; the diversion of any
/// one fragment causes the entire packet to get diverted." Whether one will be, only the last tells: till then all wait
/// that a rule might divert, and go on as they came if none was.
extension DivertEngine {
  mutating func judge<Sink: DivertSink & ~Copyable>(
    fragment: RawSpan, _ fields: PacketFields, _ onward: Onward, from index: Int, to sink: inout Sink
  ) -> Judgement {
    let domain = FragmentDomain(onward.pass)
    if domain == .locallyMade, rules.image.waits(fields, onward.pass, at: .locallyMade, { _ in true }) {
      hold(fragment, HeldFragment(onward: onward, diverted: nil, index: index), domain, to: &sink)
      return .consumed
    }
    switch ending(fragment, fields, onward, from: index, to: &sink) {
    case .looped: return .consumed
    case .denied:
      // The rest can become no packet any more; what need not be one may go.
      if let rest = fragments.giveUp(fragment, domain: domain.rawValue) { letGo(rest, to: &sink) }
      return .denied
    case .divert(let port, let header):
      guard sink.wantsWholePackets(port: port) else {
        counters.count(sink.deliver(fragment, to: port, header, onward.origin))
        return .consumed
      }
      hold(fragment, HeldFragment(onward: onward, diverted: (port, header), index: index), domain, to: &sink)
      return .consumed
    case .proceed:
      let mayDivert = rules.image.waits(fields, onward.pass, at: .received) {
        sink.wantsWholePackets(port: $0)
      }
      guard mayDivert else { return .proceed }
      hold(fragment, HeldFragment(onward: onward, diverted: nil, index: index), domain, to: &sink)
      return .consumed
    }
  }

  /// Ends the wait of fragments whose others have not come in time.
  package mutating func expireFragments<Sink: DivertSink & ~Copyable>(to sink: inout Sink) {
    for datagram in fragments.takeExpired(now: now) { letGo(datagram, to: &sink) }
  }

  private mutating func hold<Sink: DivertSink & ~Copyable>(
    _ fragment: RawSpan, _ held: HeldFragment, _ domain: FragmentDomain, to sink: inout Sink
  ) {
    expireFragments(to: &sink)
    switch fragments.add(fragment, held, domain: domain.rawValue, now: now) {
    case .held, .refused: break
    case .broken(let datagram): letGo(datagram, to: &sink)
    case .complete(let datagram): settle(datagram, to: &sink)
    }
    for datagram in fragments.takeEvicted() { letGo(datagram, to: &sink) }
  }

  /// All fragments are there.
  private mutating func settle<Sink: DivertSink & ~Copyable>(_ datagram: HeldDatagram, to sink: inout Sink) {
    guard let first = datagram.fragments.first?.note, let whole = datagram.assembled() else { return }
    let packet = unsafe whole.span.bytes
    if FragmentDomain(first.onward.pass) == .locallyMade {
      switch ending(packet, PacketFields(parsing: packet), first.onward, from: first.index, to: &sink) {
      case .proceed: letGo(datagram, to: &sink)
      case .denied, .looped: break
      case .divert(let port, let header):
        deliver(datagram, packet, port, header, first.onward.origin, to: &sink)
      }
    } else if let last = datagram.fragments.last(where: { $0.note.diverted != nil })?.note,
      let (port, header) = last.diverted
    {
      // "If different fragments divert to different ports, then which port ultimately gets chosen is unpredictable":
      // the last one's, as on BSD.
      deliver(datagram, packet, port, header, last.onward.origin, to: &sink)
    } else {
      letGo(datagram, to: &sink)
    }
  }

  /// Whole, or as it came where the whole would be longer than the socket takes.
  private mutating func deliver<Sink: DivertSink & ~Copyable>(
    _ datagram: HeldDatagram, _ packet: RawSpan, _ port: UInt16, _ header: FrameHeader,
    _ origin: PacketOrigin, to sink: inout Sink
  ) {
    guard packet.byteCount > sink.longestPacket else {
      return counters.count(sink.deliver(packet, to: port, header, origin))
    }
    for (bytes, _) in datagram.fragments {
      counters.count(sink.deliver(unsafe bytes.span.bytes, to: port, header, origin))
    }
  }

  /// As they came, in order; but a datagram of which a part was diverted has to be whole.
  private mutating func letGo<Sink: DivertSink & ~Copyable>(_ datagram: HeldDatagram, to sink: inout Sink) {
    guard datagram.fragments.allSatisfy({ $0.note.diverted == nil }) else {
      counters.droppedFragments += UInt64(datagram.fragments.count)
      return
    }
    for (bytes, note) in datagram.fragments { sink.proceed(unsafe bytes.span.bytes, note.onward) }
  }
}
