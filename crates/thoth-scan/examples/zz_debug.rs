fn main(){ let mut s=String::new(); std::io::Read::read_to_string(&mut std::io::stdin(),&mut s).unwrap();
 let mut t=thoth_types::json::Tape::new(); let v=t.parse(s.as_bytes(),&Default::default()).unwrap();
 let mut set=thoth_scan::inspect::InspectSettings::default(); set.min_confidence=thoth_scan::inspect::Confidence::Low;
 let i=thoth_scan::inspect::inspect_result("",v,&set); println!("{:#?}",i);
 println!("{:?}", thoth_scan::inspect::redact(s.as_bytes(),&i,None).map(|r|String::from_utf8(r.document)));}
