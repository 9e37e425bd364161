import Glibc
package import Kernel

/// A program attached to one direction of an interface (TCX, Linux 6.6); detached when this value goes.
package struct Link: ~Copyable, Sendable {
  package enum AttachPoint: UInt32, Sendable {
    case ingress = 46
    case egress = 47
  }

  package let descriptor: Descriptor

  /// One that exists already.
  init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  /// Attaches before other programs on the interface (BPF_F_BEFORE with no relative: the head of the chain).
  package init(_ program: borrowing Program, to interface: UInt32, _ point: AttachPoint) throws(SystemError) {
    var attributes = BPFAttributes()
    attributes.store(UInt32(bitPattern: program.descriptor.number), at: 0)
    attributes.store(interface, at: 4)
    attributes.store(point.rawValue, at: 8)
    attributes.store(UInt32(1 << 3), at: 12)
    let number = attributes.call(.linkCreate)
    guard number >= 0 else {
      let code = errno
      throw SystemError(
        "attach a hook to interface \(interface) \(point)", code: code,
        advice: code == EINVAL ? "TCX hooks need Linux 6.6 or later" : bpfAdvice(code))
    }
    descriptor = Descriptor(owning: number)
  }

  /// Whether the interface that it was attached to is still there, and still has it: the kernel reports index 0 as soon as
  /// the link is detached (tcx_link_fill_info in kernel/bpf/tcx.c).
  package var isAttached: Bool { ObjectInformation(descriptor).map { $0.word(at: 16) != 0 } ?? false }

  /// Puts another program in the place of the attached one; every packet sees one of the two.
  package func replace(with program: borrowing Program) throws(SystemError) {
    var attributes = BPFAttributes()
    attributes.store(UInt32(bitPattern: descriptor.number), at: 0)
    attributes.store(UInt32(bitPattern: program.descriptor.number), at: 4)
    guard attributes.call(.linkUpdate) == 0 else { throw SystemError("replace a hook program") }
  }
}
