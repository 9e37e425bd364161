/// The body of the control message `statistics` (docs/control-messages.md).
extension HostStatistics {
  init?(_ reader: inout MessageReader) {
    self.init()
    guard let totals = Counts<HostCount>(&reader), let written = Counts<SocketCount>(&reader),
      let bound = reader.list({ BoundPort(&$0) }), let unbound = reader.list({ UnboundPort(&$0) }),
      let unruled = reader.list({ UnruledInterface(&$0) }), let stays = reader.integer(UInt8.self), stays <= 1
    else { return nil }
    (self.totals, self.written, self.bound, self.unbound) = (totals, written, bound, unbound)
    self.unruled = unruled
    staysInForce = stays == 1
  }

  func write(to bytes: inout [UInt8]) {
    totals.write(to: &bytes)
    written.write(to: &bytes)
    bytes.append(bound) { $1.write(to: &$0) }
    bytes.append(unbound) { $1.write(to: &$0) }
    bytes.append(unruled) { $1.write(to: &$0) }
    bytes.append(staysInForce ? 1 : 0 as UInt8)
  }
}

extension Counts {
  fileprivate init?(_ reader: inout MessageReader) {
    guard let values = reader.list({ $0.integer(UInt64.self) }) else { return nil }
    self.init(values)
  }

  /// Zeros at the end are left away.
  fileprivate func write(to bytes: inout [UInt8]) {
    let count = values.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
    bytes.append(Array(values.prefix(count))) { $0.append($1) }
  }
}

extension UnboundPolicy {
  init?(_ reader: inout MessageReader) {
    guard let value = reader.integer(UInt8.self) else { return nil }
    self.init(rawValue: value)
  }
}

extension BoundPort {
  fileprivate init?(_ reader: inout MessageReader) {
    guard let port = reader.integer(UInt16.self), let policy = UnboundPolicy(&reader),
      let options = reader.integer(UInt32.self), let link = reader.integer(UInt32.self),
      let linkName = reader.text(), let inode = reader.integer(UInt32.self),
      let waiting = reader.integer(UInt32.self), let receiveBuffer = reader.integer(UInt32.self),
      let droppedFull = reader.integer(UInt64.self), let diverted = reader.integer(UInt64.self),
      let teed = reader.integer(UInt64.self), let written = Counts<SocketCount>(&reader)
    else { return nil }
    self.init(
      port: port, policy: policy, options: SocketOptions(rawValue: options), link: link, linkName: linkName,
      inode: inode, waiting: waiting, receiveBuffer: receiveBuffer, droppedFull: droppedFull,
      diverted: diverted, teed: teed, written: written)
  }

  fileprivate func write(to bytes: inout [UInt8]) {
    bytes.append(port)
    bytes.append(policy.rawValue)
    bytes.append(options.rawValue)
    bytes.append(link)
    bytes.append(linkName)
    for value in [inode, waiting, receiveBuffer] { bytes.append(value) }
    for value in [droppedFull, diverted, teed] { bytes.append(value) }
    written.write(to: &bytes)
  }
}

extension UnboundPort {
  fileprivate init?(_ reader: inout MessageReader) {
    guard let port = reader.integer(UInt16.self), let policy = UnboundPolicy(&reader) else { return nil }
    self.init(port: port, policy: policy)
  }

  fileprivate func write(to bytes: inout [UInt8]) {
    bytes.append(port)
    bytes.append(policy.rawValue)
  }
}

extension UnruledInterface {
  fileprivate init?(_ reader: inout MessageReader) {
    guard let name = reader.text(), let reason = reader.text() else { return nil }
    self.init(name: name, reason: reason)
  }

  fileprivate func write(to bytes: inout [UInt8]) {
    bytes.append(name)
    bytes.append(reason)
  }
}
