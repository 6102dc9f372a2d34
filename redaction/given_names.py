"""Given names that are common somewhere, in lower case: one capitalised word by itself is a person's name only if it is here.

Names that agents, products, places or months carry more often than people do (`claude`, `alexa`, `paris`, `may`) are left out.
"""

from typing import Final

_NAMES: Final = """
    aaliyah aaron abdul abdullah abigail abraham adam adele adrian adriana agnes ahmad ahmed aidan aisha akira alan albert alberto
    alejandra alejandro aleksandr alessandro alex alexander alexandra alexandre alexis alfred alfredo ali alice alicia alina alison
    allison alma amanda amelia amina amir amit amy ana anastasia anders andrea andreas andrei andres andrew andrey andrzej angela angelica
    angelina anil anita anja anjali ann anna annabelle anne annette annie anthony antoine anton antonia antonio anya arjun arnold arthur
    arturo arun asha ashley astrid audrey ava axel ayesha ayumi barbara beatrice beatriz ben benjamin bernard bernd bernice beth bethany
    betty beverly bill birgit björn bob bogdan boris bradley brandon brenda brendan brett brian bridget britta brittany bruce bryan
    caitlin cameron camila camille carl carla carlos carmen carol caroline carolyn carrie casey catherine cathy cecilia cesar chad charles
    charlie charlotte chen cheryl chiara chloe chris christian christiane christina christine christoph christophe christopher cindy
    claire clara claudia clemens colin connie connor constance cora corinna courtney craig cristina crystal curtis cynthia dagmar daisuke
    dale dana daniel daniela danielle danny darius darlene darren dave david dawn dean deborah debra deepak denis denise dennis derek
    diana diane diego dieter dimitri dirk dmitri dominic dominik dominique don donald donna doris dorothea dorothy doug douglas duncan
    dylan ebony eddie eduardo edward edwin eileen ekaterina elaine eleanor elena eli elias elif elijah elisa elisabeth elizabeth elke ella
    ellen elsa emanuel emil emilia emilie emilio emily emma emmanuel enrique eric erica erik erika erin ernest ernesto esra esther ethan
    eugene eva evan evelyn fabian fabio fatima fatma federico felicia felipe felix fernanda fernando fiona florian frances francesca
    francesco francis francisco francois frank franz françois fred frederic frederick frida friedrich fritz gabriel gabriela gabriele gail
    gary gavin geoffrey georg george gerald gerard gerhard gianluca gilbert gina giovanni gisela giulia giuseppe gloria gonzalo gordon
    grace graham greg gregor gregory greta grzegorz guadalupe guillermo gustavo günter günther hannah hannes hans harald harold harriet
    harry haruto hassan hazel heather hector heidi heike heinrich heinz helen helena helene helga helmut hendrik henri henrik henry
    herbert hermann hiroshi holger howard hugo hui hussein ian ibrahim ida ignacio igor imran ines inga inge ingeborg ingrid irene irina
    iris irma isaac isabel isabella isabelle isaiah ivan ivana jack jackie jackson jacob jacqueline jacques jaime jake jakob jakub james
    jamie jan jana jane janet janice janine jasmin jasmine jason javier jay jean jeanette jeanne jeff jeffrey jennifer jenny jens jeremy
    jerome jerry jesse jessica jesús jill jim jimmy jin joachim joan joanna joanne joao joaquin jochen joe joel johan johann johanna
    johannes john johnny jon jonas jonathan jordan jorge jose josef joseph josephine josh joshua josé joyce joão juan juana juanita judith
    judy jules julia julian juliana julie julien juliet julio jun justin jutta jörg jürgen kai karen karim karin karl karla karolina
    katarina kate katharina katherine kathleen kathryn kathy katie katja katrin kay kayla keith kelly ken kenji kenneth kerstin kevin
    khadija khalid kim kimberly kirsten klaus konrad kristen kristin kristina krzysztof kumar kurt kyle lakshmi lara larry lars latoya
    laura lauren laurence laurent lea leah leila lena leo leon leonard leonardo leonie leopold leslie leticia levi liam lillian lily linda
    lindsay lisa lois lora lorena lorenzo lori lorraine louis louisa louise luc luca lucas lucia lucie lucille lucy luis luisa luka lukas
    luke lydia lynn madeleine magdalena maggie mahmoud maja malik manfred manuel manuela marc marcel marcela marcelo marcia marco marcos
    marcus margaret margarita maria mariam marian mariana marianne marie marilyn marina mario marion marisol marjorie marta martha martin
    martina marvin mary masako mateo mateusz mathias mathieu mats matteo matthew matthias maureen maurice mauricio max maximilian megan
    mehmet mei melanie melinda melissa melvin meryem mia michael michaela michal michel michele michelle miguel mikhail mildred mina ming
    miranda miriam misha mitchell mohamed mohammad mohammed monica monika monique morgan moritz mustafa myriam nadia nadine nancy naomi
    natalia natalie natasha nathan nathaniel neha neil nelson niamh nicholas nick nicola nicolas nicole niels nigel nikhil niklas nikolai
    nina nisha noah noel noemi nora norma norman odette olaf oleg olga oliver olivia olivier omar oscar otto owen pablo pamela paolo
    pascal patricia patrick patrik paul paula paulina pauline paulo pavel pawel pedro peggy penelope percy perry peter petra phil philip
    philipp philippe phillip phyllis pierre pilar piotr pooja prakash pranav priya priyanka rachel rafael rahul rainer raj rajesh ralf
    ralph ramon ramona randall raphael raquel rashid raul ravi ray raymond rebecca regina reinhard renata renate rene renee ricardo
    richard rita robert roberta roberto robin rodney rodrigo roger rohan roland rolf roman ronald ronja rosa rosalie rosemary ross roxanne
    roy ruben rudolf ruth ryan sabine sabrina sally salma sam samantha samir samuel sandra sandy sanjay sara sarah sascha saskia satoshi
    scott sean sebastian selena selina serena serge sergei sergey sergio shannon sharon shawn sheila shelley sherry shirley shreya sibylle
    sigrid silke silvia simon simone sina sofia sonia sonja sophia sophie stacey stacy stanley stefan stefanie stella stephan stephanie
    stephen steve steven stuart sunil sunita susan susanna susanne suzanne sven svetlana sylvia sylvie takashi takeshi tamara tammy tanja
    tanya tara tatiana ted teresa terry thea theo theodore theresa thierry thomas thorsten thérèse tiffany tim timothy tina tobias todd
    tom tomas tomasz tommy toni tony torsten tracy travis trevor tristan troy tyler udo ulf ulrich ulrike umar ursula uta ute uwe valentin
    valentina valerie vanessa vera verena veronica veronika vicente vicky victor victoria vijay vikram viktor vincent viola violet vivek
    vivian vladimir volker wade walter waltraud wanda warren wayne wei wendy werner wilfried wilhelm willem william willie wilma wolfgang
    xavier xin yan yang yannick yara yasmin yasmine yolanda yosef youssef yui yuki yuri yusuf yves yvette yvonne zachary zainab zara
    zeynep zoe zoë
"""

GIVEN_NAMES: Final = frozenset(_NAMES.split())
